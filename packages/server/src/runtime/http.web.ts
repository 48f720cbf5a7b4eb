import { bareHost, urlAllowed } from "./addresses.js"
import { concat } from "./bytes.js"
import type { HttpClient, HttpClientOptions, IncomingAnswer, RuntimeHttp } from "./http.js"

/** Names that only a private network resolves. A runtime without a resolver hook can judge the name alone (D3). */
const PRIVATE_NAME = /(^|\.)(internal|local|localdomain|intranet|lan|home\.arpa)$/

function mayCall(url: URL, options: HttpClientOptions): boolean {
  if (!urlAllowed(url, options)) return false
  const host = bareHost(url)
  if (host === "localhost" || host.endsWith(".localhost")) return options.allowLoopback
  return options.allowPrivateAddresses || !PRIVATE_NAME.test(host)
}

/**
 * The client on the platform's `fetch` (Workers, Deno, Bun, edge functions). The platform keeps the connections and
 * resolves the names; `sent` is true for every failure of a call that was begun, because `fetch` does not say.
 */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  return {
    // Bun is one process, which goes on after an answer; of all others on `fetch` that is not known.
    endsWithRequest: !("Bun" in globalThis),
    async send(request) {
      const url = URL.canParse(request.url) ? new URL(request.url) : null
      if (!url || !mayCall(url, options)) return { failure: "blocked_address", sent: false }
      const signal = AbortSignal.timeout(request.deadline)
      try {
        const response = await fetch(url, {
          method: request.method,
          headers: request.headers,
          redirect: "manual",
          signal,
          ...(request.body === undefined ? {} : { body: request.body }),
        })
        const body = await readCapped(response, request.maxBytes)
        if (body === null) return { failure: "too_large", sent: true }
        const header: IncomingAnswer["header"] = (name) => response.headers.get(name) ?? undefined
        return { status: response.status, header, body }
      } catch {
        return { failure: signal.aborted ? "timeout" : "reset", sent: true }
      }
    },
    // `fetch` cannot connect without a request, and a request nobody needs would count against the provider's limits.
    warm() {},
    async close() {},
  }
}

async function readCapped(response: Response, maxBytes: number): Promise<Uint8Array | null> {
  const reader = response.body?.getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  while (reader) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.length
    if (size > maxBytes) {
      await reader.cancel()
      return null
    }
    chunks.push(value)
  }
  return concat(chunks)
}

;({ createHttpClient }) satisfies RuntimeHttp
