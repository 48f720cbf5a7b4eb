import { PROTOCOL_HEADER } from "@pkce/protocol"
import { empty } from "./answer.js"
import type { HttpAnswer, HttpRequest } from "./message.js"

/** Lets the pages of the configured origins read our answers; to everybody else it says nothing at all. */
export interface Cors {
  /** The answer to a preflight (Fetch standard), or `null` where the request is none. */
  preflight(request: HttpRequest, methods: readonly string[]): HttpAnswer | null
  /** Headers for the answer to a request of a page. */
  headers(request: HttpRequest): Record<string, string>
}

/** C11: exact comparison with a fixed list; `null`, suffixes and unknown origins get no header. */
export function createCors(allowedOrigins: readonly string[]): Cors {
  const allowed = new Set(allowedOrigins)
  const originOf = (request: HttpRequest) => {
    const origin = request.header("origin")
    return origin !== undefined && allowed.has(origin) ? origin : null
  }
  return {
    preflight(request, methods) {
      if (request.method !== "OPTIONS") return null
      const origin = originOf(request)
      if (origin === null) return empty(204, { Allow: [...methods, "OPTIONS"].join(", ") })
      return empty(204, {
        "Access-Control-Allow-Origin": origin,
        // For `bind: "cookie"`. The one cookie that our routes read is worth nothing without what the page itself sends.
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Allow-Methods": methods.join(", "),
        "Access-Control-Allow-Headers": `authorization, content-type, ${PROTOCOL_HEADER.toLowerCase()}`,
        "Access-Control-Max-Age": "600",
      })
    },
    headers(request) {
      const origin = originOf(request)
      return origin === null
        ? {}
        : {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": `${PROTOCOL_HEADER}, Retry-After`,
          }
    },
  }
}
