import { createHttpClient } from "#http"
import type { Config, ProviderConfig } from "../config/config.js"
import type { Emit } from "../events.js"
import type { HttpClient } from "../runtime/http.js"
import { createDocumentLoader } from "./documents.js"
import { createIssuerSource, type IssuerSource } from "./issuer.js"
import { createProvider } from "./provider.js"
import type { Provider } from "./types.js"

export interface Providers {
  list: readonly Provider[]
  /** By the id of the configuration. No other name finds anything, `__proto__` included (C6). */
  get(id: string): Provider | undefined
  /** As the HTTP client says. */
  readonly endsWithRequest: boolean
  /** Closes the connections; calls under way fail. */
  close(): Promise<void>
}

/**
 * The providers of the configuration. Nothing is fetched before it is needed. Entries of one issuer that find its
 * metadata in the same way share one copy of it and of its keys.
 *
 * @param now seconds since the epoch, for tests
 * @param wrapHttp puts something around the one client that all of them use
 */
export function createProviders(
  config: Config,
  emit: Emit,
  now: () => number = () => Date.now() / 1000,
  wrapHttp: (http: HttpClient) => HttpClient = (http) => http,
): Providers {
  const { allowLoopbackHttp, allowPrivateIdp } = config
  const http = wrapHttp(
    createHttpClient({ allowLoopback: allowLoopbackHttp, allowPrivateAddresses: allowPrivateIdp }),
  )
  const sources = new Map<string, IssuerSource>()

  function sourceOf(entry: ProviderConfig): IssuerSource {
    const { issuer, metadataUrl, metadata, allowedEndpointHosts } = entry
    // D8: a tuple, not joined text, so that no two entries can be spelled alike.
    const key = JSON.stringify([issuer, metadataUrl, metadata, allowedEndpointHosts])
    const known = sources.get(key)
    if (known) return known
    const documents = createDocumentLoader({ http, emit, provider: entry.id, now })
    const source = createIssuerSource({ ...entry, allowLoopbackHttp }, documents, emit, now)
    sources.set(key, source)
    return source
  }

  const list = config.providers.map((entry) => createProvider(entry, { http, source: sourceOf(entry), now }))
  const byId = new Map(list.map((provider) => [provider.id, provider]))
  return {
    list,
    get: (id) => byId.get(id),
    endsWithRequest: http.endsWithRequest === true,
    close: () => http.close(),
  }
}
