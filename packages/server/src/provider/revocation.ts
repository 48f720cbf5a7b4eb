import type { ProviderMetadata } from "../config/options.js"
import type { HttpClient } from "../runtime/http.js"
import { isAuth0 } from "./auth0.js"
import type { ClientAuthenticator } from "./client-authentication.js"
import { badStatus, failed, unanswered } from "./failures.js"
import { postForm } from "./form-post.js"
import { parseObject } from "./strict-json.js"

const DEADLINE = 10_000

/**
 * Revokes a refresh token (RFC 7009); does nothing where the provider has no endpoint for it. Throws `ProviderError`, never
 * spent: whoever revokes may ask again.
 */
export async function revokeToken(
  http: HttpClient,
  metadata: ProviderMetadata,
  authenticate: ClientAuthenticator,
  token: string,
  now: number,
): Promise<void> {
  const endpoint = endpointOf(metadata)
  if (endpoint === undefined) return
  const credentials = await authenticate(metadata, now, endpoint)
  const answer = await postForm(
    http,
    endpoint,
    credentials,
    { token, token_type_hint: "refresh_token" },
    DEADLINE,
  )
  if ("failure" in answer) throw unanswered(answer, false)
  const { status, body } = answer
  if (status === 200) return
  const error = parseObject(body)?.error
  // Google's word for a token that is none any more, where RFC 7009 section 2.2 wants a 200.
  if (status === 400 && error === "invalid_token") return
  if (status === 401 || error === "invalid_client") throw failed("idp_misconfigured", "invalid_client", false)
  throw badStatus(status, answer.header("retry-after"), false)
}

/** Auth0 tenants that do not announce theirs have it all the same. */
function endpointOf(metadata: ProviderMetadata): string | undefined {
  if (metadata.revocation_endpoint !== undefined) return metadata.revocation_endpoint
  return isAuth0(metadata) ? new URL("/oauth/revoke", metadata.issuer).href : undefined
}
