import type { HttpAnswer, HttpRequest } from "./message.js"

/** One line of the wire protocol's table. */
export interface Route {
  method: "GET" | "POST" | "DELETE"
  /** Exact; a last segment of `{id}` stands for one segment of base64url. */
  path: string
  /** Whether the request has a JSON body, or a form. Default: none is read. */
  body?: "required" | "optional" | "form"
  /** Failures of one address are counted, and too many of them answered 429 before any work (C13). */
  limited?: boolean
  /** The provider's answer is in the query, which every other route refuses (F7). */
  takesCode?: boolean
  /** A browser goes there itself: no page may read the answer, whatever its origin. */
  navigated?: boolean
  handle(input: {
    request: HttpRequest
    /** The object of the body, not yet validated; empty where the route reads none. */
    body: { [name: string]: unknown }
    /** What stands for `{id}`. */
    id: string
  }): Promise<HttpAnswer>
}
