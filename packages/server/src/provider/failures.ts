import type { ServerErrorCode } from "@pkce/protocol"
import { ProviderError } from "../errors.js"
import type { HttpFailure } from "../runtime/http.js"

/** What can be wrong with every token that a provider signs. */
export type TokenFlaw =
  | "malformed"
  | "header_refused"
  | "alg_refused"
  | "key_unknown"
  | "key_ambiguous"
  | "signature_invalid"
  | "iss_mismatch"
  | "aud_mismatch"
  | "azp_mismatch"
  | "sub_invalid"
  | "expired"
  | "exp_invalid"
  | "iat_invalid"
  | "nbf_invalid"

/** Why a login was refused. A closed vocabulary: it goes into events, the app sees `login_failed` alone. */
export type Refusal =
  | "callback_issuer_mismatch"
  | "callback_issuer_missing"
  | "nonce_required"
  | "invalid_grant"
  | "token_request_refused"
  | `id_token_${TokenFlaw}`
  | "id_token_missing"
  | "id_token_sid_invalid"
  | "id_token_not_an_id_token"
  | "id_token_nonce_mismatch"
  | "id_token_nonce_unexpected"
  | "id_token_hash_mismatch"
  | "id_token_acr_mismatch"
  | "id_token_organization_mismatch"
  | "reauth_required"
  | "userinfo_sub_mismatch"
  | "userinfo_signature_invalid"

/** Why a refreshed ID token is not one of this user and login. A closed vocabulary, for the event. */
export type IdentityChange =
  | Refusal
  | `id_token_${"iss" | "sub" | "aud" | "azp" | "auth_time" | "nonce"}_changed`
  | "id_token_older_than_stored"

/** Why a logout token was refused. A closed vocabulary, for the event. */
export type LogoutRefusal =
  `logout_token_${TokenFlaw | "jti_invalid" | "sid_invalid" | "sub_and_sid_missing" | "events_invalid" | "nonce_present"}`

/** What went wrong at or on the way to the provider. A closed vocabulary too. */
export type Fault =
  | HttpFailure["failure"]
  | "http_status"
  | "redirected"
  | "rate_limited"
  | "malformed"
  | "token_answer_malformed"
  | "token_type_unsupported"
  | "invalid_client"
  | "token_request_rejected"
  | "issuer_mismatch"
  | "endpoint_refused"
  | "endpoint_missing"
  | "no_usable_keys"
  | "key_refetch_held_back"
  | "client_key_unusable"
  | "refresh_token_missing"
  | "clocks_differ"
  | "userinfo_unauthorized"
  | "pushed_request_rejected"

type ProviderFaultCode = Extract<ServerErrorCode, `idp_${string}`>

/** A refusal by the provider, or by us of what the provider sent. The code is spent unless it never left. */
export const refused = (reason: Refusal, spent = true): ProviderError =>
  new ProviderError("login_failed", spent, { reason })

/** Nothing has been done, and nothing is. */
export const logoutRefused = (reason: LogoutRefusal): ProviderError =>
  new ProviderError("logout_failed", false, { reason })

/** A failure that says nothing about the user. Once the code may have been seen nobody may repeat the request. */
export const failed = (
  code: ProviderFaultCode,
  reason: Fault,
  spent: boolean,
  retryAfter?: number,
): ProviderError =>
  new ProviderError(code, spent, {
    reason,
    ...(spent ? { retryable: false } : {}),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  })

/** A call that had no answer. */
export function unanswered({ failure }: HttpFailure, spent: boolean): ProviderError {
  if (failure === "blocked_address") return failed("idp_misconfigured", failure, spent)
  if (failure === "timeout") return failed("idp_timeout", failure, spent)
  if (failure === "too_large") return failed("idp_bad_response", failure, spent)
  return failed("idp_unavailable", failure, spent)
}

/** An answer whose status is not the one that was wanted. `retryAfter` in seconds, at most 60. */
export function badStatus(status: number, retryAfter: string | undefined, spent: boolean): ProviderError {
  // D2: a redirect is never followed, wherever it points.
  if (status === 0 || (status >= 300 && status < 400)) return failed("idp_bad_response", "redirected", spent)
  if (status === 429 || status >= 500) {
    const seconds = retryAfter !== undefined && /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) : undefined
    const wait = seconds === undefined ? undefined : Math.min(seconds, 60)
    return failed("idp_unavailable", status === 429 ? "rate_limited" : "http_status", spent, wait)
  }
  return failed("idp_bad_response", "http_status", spent)
}

/** The same failure as an error of its own: each has an id that one client sees, and says whether *its* code is spent. */
export const restated = (
  { code, reason }: ProviderError,
  spent: boolean,
  retryAfter?: number,
): ProviderError =>
  new ProviderError(code as ServerErrorCode, spent, {
    ...(reason === undefined ? {} : { reason }),
    ...(spent ? { retryable: false } : {}),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  })
