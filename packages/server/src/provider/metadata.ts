import type { ProviderConfig } from "../config/config.js"
import type { ProviderMetadata } from "../config/options.js"
import type { Emit } from "../events.js"
import { addressKind, bareHost } from "../runtime/addresses.js"
import type { DocumentLoader } from "./documents.js"
import { failed } from "./failures.js"
import type { JsonObject } from "./strict-json.js"

const MAX_BYTES = 1024 * 1024
const MAX_AGE = 3600
const REQUIRED = ["authorization_endpoint", "token_endpoint", "jwks_uri"] as const
const OPTIONAL = [
  "userinfo_endpoint",
  "end_session_endpoint",
  "revocation_endpoint",
  "pushed_authorization_request_endpoint",
] as const
const ENDPOINTS = [...REQUIRED, ...OPTIONAL]
/** Those that the backend itself calls; the others are for the user's browser. */
const CALLED = [
  "token_endpoint",
  "jwks_uri",
  "userinfo_endpoint",
  "revocation_endpoint",
  "pushed_authorization_request_endpoint",
]

export interface MetadataSource {
  /** Loads at first, then answers from memory; after an hour it renews behind the answer. Throws `ProviderError`. */
  get(): Promise<ProviderMetadata>
}

/** What the issuer's entries have in common. */
export type MetadataOptions = Pick<
  ProviderConfig,
  "id" | "issuer" | "metadataUrl" | "metadata" | "allowedEndpointHosts"
> & { allowLoopbackHttp: boolean }

export function createMetadataSource(
  options: MetadataOptions,
  documents: DocumentLoader,
  emit: Emit,
  now: () => number,
): MetadataSource {
  const pins = new Map<string, string>()
  let held: ProviderMetadata | undefined
  let loadedAt = 0
  let loading: Promise<ProviderMetadata> | undefined

  function read(document: JsonObject): ProviderMetadata {
    // D1: exact, so that no other issuer can speak for this one (Discovery section 4.3).
    if (document.issuer !== options.issuer) {
      emit({ type: "idp.metadata.issuer_mismatch", provider: options.id })
      throw failed("idp_misconfigured", "issuer_mismatch", false)
    }
    const metadata = checked(document, options)
    if (!metadata) throw failed("idp_misconfigured", "endpoint_refused", false)
    return metadata
  }

  async function load(): Promise<ProviderMetadata> {
    const { metadata: inline, metadataUrl } = options
    const fresh = inline ? read(inline) : await documents.load(metadataUrl, MAX_BYTES, read)
    const allowed = options.allowedEndpointHosts ?? []
    const { metadata, changed } = held
      ? pinned(pins, held, fresh, allowed)
      : { metadata: fresh, changed: false }
    if (changed) emit({ type: "idp.metadata.changed", provider: options.id })
    // A2: PKCE is sent all the same; whether this provider heeds it is for a person to find out (RFC 9700 section 2.1.1).
    const methods = metadata.code_challenge_methods_supported
    if (!(Array.isArray(methods) && methods.includes("S256")))
      emit({ type: "idp.metadata.pkce_not_advertised", provider: options.id })
    for (const name of ENDPOINTS) {
      const host = hostOf(metadata[name])
      if (host !== undefined && !pins.has(name)) pins.set(name, host)
    }
    held = metadata
    loadedAt = now()
    return metadata
  }

  function renew(): Promise<ProviderMetadata> {
    if (documents.endsWithRequest) return load()
    loading ??= load().finally(() => {
      loading = undefined
    })
    return loading
  }

  return {
    async get() {
      if (!held) return renew()
      const age = now() - loadedAt
      if (!options.metadata && !loading && (age > MAX_AGE || age < 0)) {
        // An error leaves what is known in use (a provider's bad hour is not a login's); the loader has reported it.
        const renewed = renew().catch(() => {})
        if (documents.endsWithRequest) await renewed
      }
      return held
    },
  }
}

/** The document with every endpoint judged, or `null` where one is not allowed. */
function checked(document: JsonObject, options: MetadataOptions): ProviderMetadata | null {
  const issuerHost = URL.canParse(options.issuer) ? new URL(options.issuer).host : ""
  for (const name of ENDPOINTS) {
    const value = document[name]
    if (value === undefined && !REQUIRED.some((required) => required === name)) continue
    if (typeof value !== "string" || !URL.canParse(value)) return null
    const url = new URL(value)
    if (!secure(url, options.allowLoopbackHttp) || url.username || url.password || url.hash) return null
    const allowed = options.allowedEndpointHosts
    // D3: where a list is given, secrets go to its hosts and the issuer's, and nowhere else.
    if (allowed && CALLED.includes(name) && url.host !== issuerHost && !allowed.includes(url.host))
      return null
  }
  const { authorization_endpoint, token_endpoint, jwks_uri } = document
  return {
    ...document,
    issuer: options.issuer,
    authorization_endpoint: String(authorization_endpoint),
    token_endpoint: String(token_endpoint),
    jwks_uri: String(jwks_uri),
    token_endpoint_auth_methods_supported: strings(document.token_endpoint_auth_methods_supported),
    authorization_response_iss_parameter_supported:
      document.authorization_response_iss_parameter_supported === true,
  }
}

const strings = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === "string") : []

// A8: https, or this very machine where the developer said so.
const secure = (url: URL, allowLoopbackHttp: boolean): boolean =>
  url.protocol === "https:" ||
  (url.protocol === "http:" &&
    allowLoopbackHttp &&
    (bareHost(url) === "localhost" || addressKind(bareHost(url)) === "loopback"))

/**
 * D4: an endpoint stays on the host that it first had. One that moves to a host which is not on the list keeps its old
 * value until the process starts anew; one that is new may stand on the issuer's host.
 */
function pinned(
  pins: Map<string, string>,
  old: ProviderMetadata,
  fresh: ProviderMetadata,
  allowed: readonly string[],
): { metadata: ProviderMetadata; changed: boolean } {
  const metadata: ProviderMetadata = { ...fresh }
  let changed = false
  for (const name of ENDPOINTS) {
    const host = hostOf(fresh[name])
    if (host === undefined || allowed.includes(host)) continue
    if (host === (pins.get(name) ?? hostOf(fresh.issuer))) continue
    changed = true
    if (old[name] === undefined) delete metadata[name]
    else metadata[name] = String(old[name])
  }
  return { metadata, changed }
}

const hostOf = (url: unknown): string | undefined => (typeof url === "string" ? new URL(url).host : undefined)
