import type { ProviderMetadata } from "../config/options.js"
import { ProviderError } from "../errors.js"
import type { HttpClient, IncomingAnswer } from "../runtime/http.js"
import type { ClientAuthenticator } from "./client-authentication.js"
import { badStatus, failed, restated, unanswered } from "./failures.js"
import { postForm } from "./form-post.js"
import type { IdTokenPolicy } from "./id-token-rules.js"
import { identityChange } from "./refreshed-id-token.js"
import { readTokenAnswer, type TokenAnswer } from "./token-answer.js"
import type { ProviderTokens, RefreshInput, RefreshOutcome } from "./types.js"

/** D9: twice what a person would wait for, since a provider that has rotated the token has nobody else to tell. */
const DEADLINE = 30_000

/** What the provider said of our request is not what it would have done with the refresh token. */
const UNTOUCHED = new Set(["invalid_client", "token_request_rejected"])

const JUDGED_BY_THE_CLOCK = new Set(["id_token_expired", "id_token_iat_invalid", "id_token_nbf_invalid"])

export interface RefreshDependencies {
  http: HttpClient
  metadata: ProviderMetadata
  authenticate: ClientAuthenticator
  policy: IdTokenPolicy
  /** Seconds since the epoch. */
  now: () => number
}

/**
 * Presents the refresh token at the token endpoint (RFC 6749 section 6): one call, never repeated. Throws
 * `ProviderError`, whose `spent` is false only where the provider certainly has not acted on the token.
 */
export async function refreshTokens(
  { http, metadata, authenticate, policy, now }: RefreshDependencies,
  { tokens, subject, scope, audience }: RefreshInput,
): Promise<RefreshOutcome> {
  const { refresh_token } = tokens
  if (refresh_token === undefined) throw failed("idp_misconfigured", "refresh_token_missing", false)
  const form = {
    grant_type: "refresh_token",
    refresh_token,
    ...(scope === undefined ? {} : { scope }),
    ...(audience === undefined ? {} : { audience }),
  }
  const credentials = await authenticate(metadata, now())
  const answer = await postForm(http, metadata.token_endpoint, credentials, form, DEADLINE)
  if ("failure" in answer) throw unanswered(answer, answer.sent)
  const issued = readAnswer(answer, now())
  if (issued === "refused") return { outcome: "refused" }

  const { id_token: idToken, access_token: accessToken } = issued
  if (idToken !== undefined && idToken !== null) {
    const known = { tokens, subject, accessToken, now: now() }
    const reason = await identityChange(idToken, policy, known).catch(asSpent)
    // No clock of ours that jumped may end a session: an answer that cannot be dated says nothing about the user.
    if (reason && JUDGED_BY_THE_CLOCK.has(reason) && clocksDiffer(answer, now(), policy.maxSkew))
      throw failed("idp_bad_response", "clocks_differ", true)
    if (reason) return { outcome: "identity_changed", reason }
  }
  return { outcome: "refreshed", tokens: merged(tokens, issued, scope) }
}

/** Only `invalid_grant` is about the grant. A provider in trouble may say that, too (GR6). */
function readAnswer(answer: IncomingAnswer, now: number): TokenAnswer | "refused" {
  const { status } = answer
  if (status === 429 || status >= 500) throw badStatus(status, answer.header("retry-after"), status !== 429)
  try {
    return readTokenAnswer(answer, now)
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error
    if (error.reason === "invalid_grant") return "refused"
    if (error.code === "login_failed") throw badStatus(status, undefined, true)
    const refusedWhole = status >= 400 && status < 500
    const untouched = UNTOUCHED.has(error.reason ?? "") || error.code === "idp_unavailable"
    throw restated(error, !(refusedWhole && untouched))
  }
}

/** What the provider left out is as it was (H4); except for the lifetime, which belongs to the access token. */
function merged(
  { refresh_token, id_token, scope, login }: ProviderTokens,
  issued: TokenAnswer,
  asked: string | undefined,
): ProviderTokens {
  // RFC 6749 section 5.1: a scope that is not named is the one that was asked for.
  const granted = issued.scope ?? asked ?? scope
  return {
    ...(refresh_token === undefined ? {} : { refresh_token }),
    ...(login === undefined ? {} : { login }),
    ...issued,
    ...(granted === undefined ? {} : { scope: granted }),
    id_token: typeof issued.id_token === "string" ? issued.id_token : id_token,
  }
}

/** Keys know no refresh token; this one has been presented. */
function asSpent(error: unknown): never {
  throw error instanceof ProviderError && !error.spent ? restated(error, true, error.retryAfter) : error
}

/** By the time that the answer bears (RFC 9110 section 6.6.1). */
function clocksDiffer(answer: IncomingAnswer, now: number, maxSkew: number): boolean {
  const time = Date.parse(answer.header("date") ?? "") / 1000
  return Math.abs(time - now) > maxSkew
}
