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

const RESERVED =
  /^(client_.*|redirect_uri|response_(type|mode)|scope|state|nonce|code_challenge.*|code_verifier|request.*)$/

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
  const { authorizationEndpoint: endpoint, params = {} } = options
  const [, query = ""] = /\?(.*)/.exec(endpoint) ?? []
  const own = parseForm(query)
  if (!own || !secureOriginOf(endpoint)) throw new PkceError("insecure_endpoint", "start")
  // A5: a name of the protocol, or one name twice, lets whoever chose it speak for us.
  const names = [...own.map(([name]) => name), ...Object.keys(params)]
  if (new Set(names).size < names.length || names.some((name) => RESERVED.test(name))) {
    throw new PkceError("reserved_parameter", "start")
  }
  const all = {
    ...params,
    client_id: options.clientId,
    redirect_uri: options.redirectUri,
    response_type: "code",
    scope: options.scope ?? "openid",
    state: options.state,
    nonce: options.nonce,
    code_challenge: options.codeChallenge,
    code_challenge_method: "S256",
  }
  try {
    const text = Object.entries(all).flatMap(([name, value]) =>
      value === undefined ? [] : `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
    )
    return endpoint + (query ? "&" : endpoint.endsWith("?") ? "" : "?") + text.join("&")
  } catch {
    throw new PkceError("invalid_request", "start")
  }
}
