import type { HttpClient, HttpFailure, IncomingAnswer } from "../runtime/http.js"
import type { Instruments } from "./instruments.js"
import { ATTRIBUTES } from "./names.js"
import type { Ending, Observer, Settled } from "./observe.js"
import type { TelemetryAttributes } from "./types.js"

type Answer = IncomingAnswer | HttpFailure

/**
 * The same client with a span around each request, by OpenTelemetry's conventions for HTTP clients. The query, the headers
 * and the bodies stay out, and nothing is added to the request: a provider learns no trace id.
 */
export function observedHttp(http: HttpClient, { observe }: Observer, { count }: Instruments): HttpClient {
  return {
    ...http,
    async send(request) {
      const { host, rest } = target(request.url)
      const attributes = { [ATTRIBUTES.httpMethod]: request.method, ...host }
      return observe(
        { span: request.method, kind: 2, attributes, details: rest, duration: "pkce.provider.duration", end },
        async () => {
          const answer = await http.send(request)
          if ("failure" in answer || answer.status === 429 || answer.status >= 500)
            count("pkce.provider.failures", { ...host, [ATTRIBUTES.errorType]: faultOf(answer) })
          return answer
        },
      )
    },
  }
}

function target(text: string): { host: TelemetryAttributes; rest: TelemetryAttributes } {
  if (!URL.canParse(text)) return { host: {}, rest: {} }
  const { protocol, hostname, port, pathname } = new URL(text)
  return {
    host: { [ATTRIBUTES.serverAddress]: hostname.replace(/^\[(.*)\]$/, "$1") },
    rest: {
      [ATTRIBUTES.serverPort]: Number(port || (protocol === "http:" ? 80 : 443)),
      [ATTRIBUTES.urlScheme]: protocol.slice(0, -1),
      [ATTRIBUTES.urlPath]: pathname,
    },
  }
}

const faultOf = (answer: Answer): string => ("failure" in answer ? answer.failure : String(answer.status))

function end(settled: Settled<Answer>): Ending {
  if ("thrown" in settled) return { attributes: {}, error: "internal" }
  const { value: answer } = settled
  if ("failure" in answer) return { attributes: {}, error: answer.failure }
  return {
    attributes: { [ATTRIBUTES.httpStatus]: answer.status },
    ...(answer.status >= 400 && { error: faultOf(answer) }),
  }
}
