import { PkceError } from "../errors.js"
import { originOf } from "../pkce/url.js"
import type { Line } from "./line.js"

/** A stream is gone once it was sent. */
const isStream = (body: Partial<ReadableStream>) => body.getReader ?? body[Symbol.asyncIterator]

/** `fetch` with the session token, for the backend, whose origin is the first, and the APIs that are named, and for nobody else. */
export function createFetch(http: typeof fetch, line: Line, allowed: () => (string | null)[]): typeof fetch {
  return async (input, init) => {
    // A text and a URL have none of what makes a request.
    const request = input as Partial<Request>
    const asked = request.url ?? String(input)
    const origins = allowed()
    // A path is put behind our origin as text, so that "//host" and "/\host" stay paths.
    const url = asked.startsWith("/") ? origins[0] + asked : asked
    if (!origins.includes(originOf(url) ?? "")) {
      throw new PkceError("origin_not_allowed", "request")
    }
    const send = (token: string | null) => {
      const headers = new Headers(init?.headers ?? request.headers)
      if (token) headers.set("Authorization", `Bearer ${token}`)
      return http(request.url ? input : url, { ...init, headers })
    }
    const token = await line.getSessionToken()
    const answer = await send(token)
    if (answer.status !== 401 || !token || request.bodyUsed || isStream(Object(init?.body))) return answer
    // The API's 401 ends nothing: it only asks for a newer token, once.
    const newer = await line.refresh()
    return newer && newer !== token ? send(newer) : answer
  }
}
