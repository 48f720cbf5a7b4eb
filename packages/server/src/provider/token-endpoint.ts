import type { ProviderMetadata } from "../config/options.js"
import type { HttpClient } from "../runtime/http.js"
import type { ClientAuthenticator } from "./client-authentication.js"
import { unanswered } from "./failures.js"
import { postForm } from "./form-post.js"
import { readTokenAnswer, type TokenAnswer } from "./token-answer.js"
import type { Redemption } from "./types.js"

const DEADLINE = 8_000

/**
 * Presents the code at the token endpoint (RFC 6749 section 4.1.3, RFC 7636 section 4.5): one call, never repeated.
 * Throws `ProviderError`, whose `spent` is false only where not a byte can have left.
 */
export async function redeemCode(
  http: HttpClient,
  metadata: ProviderMetadata,
  authenticate: ClientAuthenticator,
  { code, codeVerifier, redirectUri }: Redemption,
  now: () => number,
): Promise<TokenAnswer> {
  const credentials = await authenticate(metadata, now())
  const form = {
    grant_type: "authorization_code",
    code,
    redirect_uri: redirectUri,
    code_verifier: codeVerifier,
  }
  const answer = await postForm(http, metadata.token_endpoint, credentials, form, DEADLINE)
  if ("failure" in answer) throw unanswered(answer, answer.sent)
  return readTokenAnswer(answer, now())
}
