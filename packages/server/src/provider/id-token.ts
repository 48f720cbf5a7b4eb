import { type Refusal, refused } from "./failures.js"
import { claimsReason, hashReason, type IdTokenPolicy, organizationReason, same } from "./id-token-rules.js"
import { readSigned } from "./signature.js"
import type { JsonObject } from "./strict-json.js"
import { isStorable, isTime } from "./token-rules.js"
import type { ProviderTokens } from "./types.js"

export interface LoginPolicy extends IdTokenPolicy {
  /** Any one of them will do; `null` where none was asked for. */
  acrValues: readonly string[] | null
  /** Seconds. */
  maxAge: number | null
}

/** What this one login expects of its ID token. */
export interface IdTokenExpectation {
  /** `undefined` where the app sent none, and then the token must bear none. */
  nonce: string | undefined
  accessToken: string
  code: string
  /** Seconds since the epoch. */
  now: number
}

export interface IdTokenClaims extends JsonObject {
  sub: string
}

/**
 * Validates an ID token by every rule of OpenID Connect Core section 3.1.3.7, the signature included although the token
 * came over TLS. Throws `ProviderError`: `login_failed` with the reason, or `idp_*` where the keys cannot be had.
 */
export async function validateIdToken(
  token: unknown,
  policy: LoginPolicy,
  expected: IdTokenExpectation,
): Promise<IdTokenClaims> {
  if (token === undefined || token === null) throw refused("id_token_missing")
  const jwt = await readSigned(token, policy)
  if (typeof jwt === "string") throw refused(`id_token_${jwt === "key_not_sought" ? "key_unknown" : jwt}`)
  const { header, claims } = jwt
  const reason =
    claimsReason(claims, policy, expected.now) ??
    nonceReason(claims.nonce, expected.nonce) ??
    loginReason(claims, policy, expected.now) ??
    organizationReason(claims, policy) ??
    (await hashReason(claims.at_hash, expected.accessToken, header.alg)) ??
    (await hashReason(claims.c_hash, expected.code, header.alg))
  if (reason) throw refused(reason)
  return { ...claims, sub: String(claims.sub) }
}

/** E11: nothing in the token can switch the check off; without a nonce of ours there must be none. */
function nonceReason(actual: unknown, expected: string | undefined): Refusal | undefined {
  if (expected === undefined) return actual === undefined ? undefined : "id_token_nonce_unexpected"
  return typeof actual === "string" && same(actual, expected) ? undefined : "id_token_nonce_mismatch"
}

function loginReason(claims: JsonObject, policy: LoginPolicy, now: number): Refusal | undefined {
  const { auth_time: authTime, acr, sid } = claims
  if (typeof sid === "string" && !isStorable(sid)) return "id_token_sid_invalid"
  const { maxAge, maxSkew, acrValues } = policy
  // E12: `max_age` in the authorization URL is a wish that the user can edit; only `auth_time` proves it.
  if (
    maxAge !== null &&
    !(isTime(authTime) && authTime >= now - maxAge - maxSkew && authTime <= now + maxSkew)
  )
    return "reauth_required"
  if (acrValues && !(typeof acr === "string" && acrValues.includes(acr))) return "id_token_acr_mismatch"
  return undefined
}

/** What later ID tokens of this login are compared with. */
export const loginMark = ({ nonce, auth_time }: JsonObject): NonNullable<ProviderTokens["login"]> => ({
  ...(typeof nonce === "string" ? { nonce } : {}),
  ...(isTime(auth_time) ? { auth_time } : {}),
})
