import { PkceError } from "../errors.js"
import { originOf } from "../pkce/url.js"
import type { Line } from "./line.js"

export interface FetchDeps {
  http: typeof fetch
  line: Line
  /** The backend's origin; relative inputs belong to it. */
  origin(): string
  apiOrigins: readonly string[]
}

/** A stream is gone once it was sent. */
const isStream = (body: unknown) => "getReader" in Object(body) || Symbol.asyncIterator in Object(body)

/** `fetch` with the session token, for the backend and the APIs that are named, and for nobody else. */
export function createFetch({ http, line, origin, apiOrigins }: FetchDeps): typeof fetch {
  return async (input, init) => {
    const request = typeof input === "object" && "url" in input ? input : null
    const asked = request?.url ?? String(input)
    // A path is put behind our origin as text, so that "//host" and "/\host" stay paths.
    const url = asked.startsWith("/") ? origin() + asked : asked
    const target = originOf(url)
    if (target !== origin() && !apiOrigins.includes(target ?? "")) {
      throw new PkceError("origin_not_allowed", "request")
    }
    const send = (token: string | null) => {
      const headers = new Headers(init?.headers ?? request?.headers)
      if (token !== null) headers.set("authorization", `Bearer ${token}`)
      return http(request ?? url, { ...init, headers })
    }
    const token = await line.token()
    const answer = await send(token)
    if (answer.status !== 401 || token === null || request?.bodyUsed || isStream(init?.body)) return answer
    // The API's 401 ends nothing: it only asks for a newer token, once.
    const newer = await line.advance()
    return newer === null || newer === token ? answer : send(newer)
  }
}
