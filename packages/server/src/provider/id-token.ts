import { toBase64url } from "@pkce/protocol"
import { equal } from "#crypto"
import { type Algorithm, algorithmOf } from "./algorithms.js"
import { isPlainJwt, parseCompact } from "./compact-jwt.js"
import { type Refusal, refused } from "./failures.js"
import { type SignaturePolicy, verifySignature } from "./signature.js"
import type { JsonObject } from "./strict-json.js"

const MAX_ISSUED_AGE = 600
/** In the year 5138; a larger value is not in seconds. */
const MAX_TIME = 1e11

export interface IdTokenPolicy extends SignaturePolicy {
  issuer: string
  clientId: string
  trustedAudiences: readonly string[]
  organization: string | null
  /** Any one of them will do; `null` where none was asked for. */
  acrValues: readonly string[] | null
  /** Seconds. */
  maxAge: number | null
  /** Seconds. */
  maxSkew: number
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
  policy: IdTokenPolicy,
  expected: IdTokenExpectation,
): Promise<IdTokenClaims> {
  if (token === undefined || token === null) throw refused("id_token_missing")
  const jwt = typeof token === "string" ? parseCompact(token) : null
  if (typeof token !== "string" || !jwt) throw refused("id_token_malformed")
  if (!isPlainJwt(jwt.header)) throw refused("id_token_header_refused")
  await verifySignature(token, jwt, policy, "id_token_signature_invalid")

  const { claims } = jwt
  const kind = algorithmOf(jwt.header.alg)
  const reason =
    partiesReason(claims, policy) ??
    timesReason(claims, policy, expected.now) ??
    nonceReason(claims.nonce, expected.nonce) ??
    policyReason(claims, policy, expected.now) ??
    (kind && (await hashesReason(claims, kind, expected)))
  if (reason) throw refused(reason)
  return { ...claims, sub: String(claims.sub) }
}

/** Who made it, for whom, about whom. */
function partiesReason(claims: JsonObject, policy: IdTokenPolicy): Refusal | undefined {
  const { iss, aud, azp, sub, events } = claims
  // E17: a logout token has all that an ID token has, and `events`.
  if (events !== undefined) return "id_token_not_an_id_token"
  if (iss !== policy.issuer) return "id_token_iss_mismatch"
  const audiences: unknown[] = Array.isArray(aud) ? aud : [aud]
  if (!audiences.includes(policy.clientId)) return "id_token_aud_mismatch"
  // E9: a stranger in `aud` could present our token as its own, or its own to us.
  const strangers = audiences.filter((one) => one !== policy.clientId)
  if (!strangers.every((one) => typeof one === "string" && policy.trustedAudiences.includes(one)))
    return "id_token_aud_mismatch"
  if (azp === undefined ? audiences.length > 1 : azp !== policy.clientId) return "id_token_azp_mismatch"
  if (typeof sub !== "string" || sub === "" || sub.length > 255) return "id_token_sub_invalid"
  return undefined
}

const isTime = (value: unknown): value is number =>
  typeof value === "number" && value >= 0 && value < MAX_TIME

function timesReason(claims: JsonObject, { maxSkew }: IdTokenPolicy, now: number): Refusal | undefined {
  const { exp, iat, nbf } = claims
  if (!isTime(exp)) return "id_token_exp_invalid"
  if (exp <= now - maxSkew) return "id_token_expired"
  if (!isTime(iat) || iat > now + maxSkew || iat < now - MAX_ISSUED_AGE - maxSkew)
    return "id_token_iat_invalid"
  if (nbf !== undefined && !(isTime(nbf) && nbf <= now + maxSkew)) return "id_token_nbf_invalid"
  return undefined
}

/** E11: nothing in the token can switch the check off; without a nonce of ours there must be none. */
function nonceReason(actual: unknown, expected: string | undefined): Refusal | undefined {
  if (expected === undefined) return actual === undefined ? undefined : "id_token_nonce_unexpected"
  return typeof actual === "string" && same(actual, expected) ? undefined : "id_token_nonce_mismatch"
}

function policyReason(claims: JsonObject, policy: IdTokenPolicy, now: number): Refusal | undefined {
  const { auth_time: authTime, acr, org_id: orgId, org_name: orgName } = claims
  const { maxAge, maxSkew, acrValues, organization } = policy
  // E12: `max_age` in the authorization URL is a wish that the user can edit; only `auth_time` proves it.
  if (
    maxAge !== null &&
    !(isTime(authTime) && authTime >= now - maxAge - maxSkew && authTime <= now + maxSkew)
  )
    return "reauth_required"
  if (acrValues && !(typeof acr === "string" && acrValues.includes(acr))) return "id_token_acr_mismatch"
  if (organization !== null) {
    // Auth0: ids begin with "org_" and are exact, names are case-insensitive.
    const matches = organization.startsWith("org_")
      ? orgId === organization
      : typeof orgName === "string" && orgName.toLowerCase() === organization.toLowerCase()
    if (!matches) return "id_token_organization_mismatch"
  }
  return undefined
}

/** E13: optional in the code flow, and right where they are there. */
async function hashesReason(
  claims: JsonObject,
  { hash }: Algorithm,
  { accessToken, code }: IdTokenExpectation,
): Promise<Refusal | undefined> {
  for (const [claim, value] of [
    [claims.at_hash, accessToken],
    [claims.c_hash, code],
  ] as const) {
    if (claim === undefined) continue
    const half = await leftHalf(value, hash)
    if (typeof claim !== "string" || !same(claim, half)) return "id_token_hash_mismatch"
  }
  return undefined
}

async function leftHalf(value: string, hash: Algorithm["hash"]): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest(hash, new TextEncoder().encode(value)))
  return toBase64url(digest.subarray(0, digest.length / 2))
}

function same(a: string, b: string): boolean {
  const encoder = new TextEncoder()
  return equal(encoder.encode(a), encoder.encode(b))
}
