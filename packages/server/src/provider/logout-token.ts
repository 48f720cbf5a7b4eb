import { failed, logoutRefused } from "./failures.js"
import { readSigned, type SignaturePolicy } from "./signature.js"
import { isObject, type JsonObject } from "./strict-json.js"
import { type AudiencePolicy, audienceFlaw, isStorable, isSubject, timeFlaw } from "./token-rules.js"
import type { LogoutToken } from "./types.js"

const EVENT = "http://schemas.openid.net/event/backchannel-logout"
/** Seconds after `exp` at which a token that was long on its way is still taken. */
const LATENESS = 120
/** I7: `logout+jwt` is what the standard recommends; many providers, and its own test suite, say nothing or `JWT`. */
const TYPES = ["jwt", "logout+jwt", "application/jwt", "application/logout+jwt"]

export interface LogoutPolicy extends SignaturePolicy, AudiencePolicy {
  issuer: string
  /** Seconds. */
  maxSkew: number
}

/**
 * Verifies a logout token by OpenID Connect Back-Channel Logout 1.0 section 2.6, except for the replay of its `jti`, which
 * the caller's store knows. Throws `ProviderError`: `logout_failed` with the reason, or `idp_*` where the keys cannot be
 * had. `now` in seconds.
 */
export async function validateLogoutToken(
  token: string,
  policy: LogoutPolicy,
  now: number,
): Promise<LogoutToken> {
  const jwt = await readSigned(token, policy, TYPES)
  if (jwt === "key_not_sought") throw failed("idp_unavailable", "key_refetch_held_back", false)
  if (typeof jwt === "string") throw logoutRefused(`logout_token_${jwt}`)
  const { claims } = jwt
  if (claims.iss !== policy.issuer) throw logoutRefused("logout_token_iss_mismatch")
  const flaw = audienceFlaw(claims, policy) ?? timeFlaw(claims, { ...policy, lateness: LATENESS }, now)
  if (flaw) throw logoutRefused(`logout_token_${flaw}`)
  requireLogoutEvent(claims)
  return { jti: jtiOf(claims), ...partyOf(claims), iat: Number(claims.iat), exp: Number(claims.exp) }
}

/** I6, E17: what tells a logout token from an ID token, which has no event and may have a nonce. */
function requireLogoutEvent({ events, nonce }: JsonObject): void {
  if (!isObject(events) || !Object.hasOwn(events, EVENT) || !isObject(events[EVENT]))
    throw logoutRefused("logout_token_events_invalid")
  if (nonce !== undefined) throw logoutRefused("logout_token_nonce_present")
}

function jtiOf({ jti }: JsonObject): string {
  if (typeof jti !== "string" || jti === "" || jti.length > 255)
    throw logoutRefused("logout_token_jti_invalid")
  return jti
}

/** Whose session it is, or which. */
function partyOf({ sub, sid }: JsonObject): Pick<LogoutToken, "sub" | "sid"> {
  if (sub === undefined && sid === undefined) throw logoutRefused("logout_token_sub_and_sid_missing")
  if (sub !== undefined && !isSubject(sub)) throw logoutRefused("logout_token_sub_invalid")
  if (sid !== undefined && (typeof sid !== "string" || sid === "" || !isStorable(sid)))
    throw logoutRefused("logout_token_sid_invalid")
  return { sub, sid }
}
