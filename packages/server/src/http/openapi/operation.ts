import type { serverErrors } from "@pkce/protocol"
import type { Route } from "../route.js"
import type { SchemaName } from "./schemas.js"

export type ErrorStatus = (typeof serverErrors)[keyof typeof serverErrors]["status"]

/** What the document says of one route. */
export interface Operation {
  /** `operationId`: the name of the function in a generated client. */
  id: string
  summary: string
  /** Whether a session token is needed, or is one of two ways to prove who asks. */
  bearer?: "required" | "alternative"
  /** What stands for `{id}`. */
  parameter?: { description: string; pattern: RegExp }
  /** Names in the query, none of them required. */
  query?: readonly string[]
  /** How the body is read, as in the route, and what it is. */
  body?: [NonNullable<Route["body"]>, SchemaName]
  /** By status; `page` is HTML, for the browser; `null` is no body. */
  answers: Readonly<Record<number, SchemaName | "object" | "page" | null>>
  /** Statuses whose answer may set a cookie. */
  cookies?: readonly number[]
  /**
   * Statuses of failures beside 400 (credentials in the query) and 500, which are everywhere. `pages`: they are
   * for the browser, which gets a page.
   */
  errors: readonly ErrorStatus[] | "pages"
}
