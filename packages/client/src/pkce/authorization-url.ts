import { PkceError } from "../errors.js"
import { parseForm, secureOriginOf } from "./url.js"

export interface AuthorizationUrlOptions {
  /** https, or http on the developer's own machine. It may already have a query (RFC 6749 section 3.1). */
  authorizationEndpoint: string
  clientId: string
  redirectUri: string
  /** Space-separated. Default `openid`. */
  scope?: string
  state: string
  /** OpenID Connect: comes back inside the ID token, which the backend compares. */
  nonce?: string | undefined
  /** Of {@link createPkcePair}; the method is always S256. */
  codeChallenge: string
  /** Further parameters, such as `prompt` or `login_hint`. */
  params?: Record<string, string | undefined>
}

const RESERVED = /^(client_|code_|redirect_uri|request|response_|(scope|state|nonce)$)/

/**
 * Builds the URL of an authorization request (RFC 6749 section 4.1.1, RFC 7636 section 4.3). Pure.
 *
 * @throws PkceError `reserved_parameter` where `params` or the endpoint's query names what the protocol sets, or a name
 * twice; `insecure_endpoint` for an endpoint that is not https; `invalid_request` for text that cannot be encoded.
 * @example
 * ```ts
 * const url = createAuthorizationUrl({
 *   authorizationEndpoint: "https://tenant.auth0.com/authorize",
 *   clientId: "app",
 *   redirectUri: "com.example.app://auth/callback",
 *   scope: "openid profile",
 *   state,
 *   nonce,
 *   codeChallenge: challenge,
 *   params: { prompt: "login" },
 * })
 * ```
 */
export function createAuthorizationUrl(options: AuthorizationUrlOptions): string {
  const { authorizationEndpoint, params = {}, scope = "openid", state, nonce } = options
  const request = {
    client_id: options.clientId,
    redirect_uri: options.redirectUri,
    scope,
    state,
    ...(nonce !== undefined && { nonce }),
    code_challenge: options.codeChallenge,
  }
  return authorizationUrl(authorizationEndpoint, request, params)
}

/** The same, of names as they are sent: the protocol's own, and further ones, a list for each who asks for some. */
export function authorizationUrl(
  endpoint: string,
  request: Record<string, string>,
  ...further: Record<string, string | undefined>[]
): string {
  const [, address, query = ""] = /^([^?]*)\??(.*)/.exec(endpoint) ?? []
  const own = parseForm(query)
  if (!own || !secureOriginOf(endpoint)) throw new PkceError("insecure_endpoint", "start")
  const asked = further
    .flatMap((some) => Object.entries(some))
    .filter((pair): pair is [string, string] => pair[1] !== undefined)
  // A5: a name of the protocol, or one name twice, lets whoever chose it speak for us.
  const names = [...own, ...asked].map(([name]) => name)
  if (new Set(names).size < names.length || names.some((name) => RESERVED.test(name))) {
    throw new PkceError("reserved_parameter", "start")
  }
  const ours = { ...request, response_type: "code", code_challenge_method: "S256" }
  try {
    const text = [...asked, ...Object.entries(ours)].map((pair) => pair.map(encodeURIComponent).join("="))
    return `${address}?${[query, ...text].filter(Boolean).join("&")}`
  } catch {
    throw new PkceError("invalid_request", "start")
  }
}
