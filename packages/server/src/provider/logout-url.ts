import type { ProviderMetadata } from "../config/options.js"
import { isAuth0 } from "./auth0.js"

export interface LogoutRequest {
  idToken?: string
  postLogoutRedirectUri?: string
  state?: string
}

/**
 * Where the browser ends the provider's session: `end_session_endpoint` (OpenID Connect RP-Initiated Logout 1.0), or
 * Auth0's older `/v2/logout`; `null` where the provider has neither.
 */
export function buildLogoutUrl(
  metadata: ProviderMetadata,
  clientId: string,
  { idToken, postLogoutRedirectUri, state }: LogoutRequest,
): string | null {
  if (metadata.end_session_endpoint) {
    const url = new URL(metadata.end_session_endpoint)
    const set = (name: string, value: string | undefined) =>
      value !== undefined && url.searchParams.set(name, value)
    set("id_token_hint", idToken)
    set("client_id", clientId)
    set("post_logout_redirect_uri", postLogoutRedirectUri)
    // A state that comes back to nowhere is only a value in a log.
    if (postLogoutRedirectUri !== undefined) set("state", state)
    return url.href
  }
  if (!isAuth0(metadata)) return null
  const url = new URL("/v2/logout", metadata.issuer)
  url.searchParams.set("client_id", clientId)
  if (postLogoutRedirectUri !== undefined)
    url.searchParams.set("returnTo", withState(postLogoutRedirectUri, state))
  return url.href
}

/** Auth0 has no `state` here, but leaves the query out when it compares `returnTo` with the allowed URLs. */
function withState(uri: string, state: string | undefined): string {
  if (state === undefined) return uri
  return `${uri}${uri.includes("?") ? "&" : "?"}state=${encodeURIComponent(state)}`
}
