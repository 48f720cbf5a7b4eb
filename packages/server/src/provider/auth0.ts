import type { ProviderMetadata } from "../config/options.js"

/** By its domain, or by the shape of its metadata where the tenant has a domain of its own. */
export function isAuth0({
  issuer,
  authorization_endpoint,
  token_endpoint,
  mfa_challenge_endpoint,
}: ProviderMetadata): boolean {
  if (new URL(issuer).hostname.endsWith(".auth0.com")) return true
  return (
    authorization_endpoint === `${issuer}authorize` &&
    token_endpoint === `${issuer}oauth/token` &&
    mfa_challenge_endpoint === `${issuer}mfa/challenge`
  )
}
