import { parseCompact } from "./compact-jwt.js"
import { failed, type IdentityChange } from "./failures.js"
import { claimsReason, hashReason, type IdTokenPolicy, organizationReason, same } from "./id-token-rules.js"
import { readSigned } from "./signature.js"
import type { JsonObject } from "./strict-json.js"
import { audiencesOf, isTime } from "./token-rules.js"
import type { ProviderTokens } from "./types.js"

/** What is known of the login that a refreshed ID token must continue. */
export interface Continuity {
  tokens: Pick<ProviderTokens, "id_token" | "login">
  /** `sub` of the session's user. */
  subject: string
  /** That of the same answer. */
  accessToken: string
  /** Seconds since the epoch. */
  now: number
}

/**
 * E16: why an ID token of a refresh answer does not continue the login (OpenID Connect Core section 12.2), `undefined`
 * where it does. It is held to all that an ID token of a login is held to, except for what was asked of the login alone
 * (`max_age`, `acr`, `c_hash`). Throws `ProviderError` (`idp_*`) where the keys cannot be had.
 */
export async function identityChange(
  token: unknown,
  policy: IdTokenPolicy,
  known: Continuity,
): Promise<IdentityChange | undefined> {
  const jwt = await readSigned(token, policy)
  // Nobody is logged out because we may not ask for keys so often.
  if (jwt === "key_not_sought") throw failed("idp_unavailable", "key_refetch_held_back", true)
  if (typeof jwt === "string") return `id_token_${jwt}`
  const { header, claims } = jwt
  return (
    claimsReason(claims, policy, known.now) ??
    organizationReason(claims, policy) ??
    continuityReason(claims, parseCompact(known.tokens.id_token)?.claims ?? {}, known, policy.maxSkew) ??
    hashReason(claims.at_hash, known.accessToken, header.alg)
  )
}

function continuityReason(
  fresh: JsonObject,
  stored: JsonObject,
  { tokens, subject }: Continuity,
  maxSkew: number,
): IdentityChange | undefined {
  if (fresh.iss !== stored.iss) return "id_token_iss_changed"
  if (fresh.sub !== subject || fresh.sub !== stored.sub) return "id_token_sub_changed"
  if (!sameAudience(fresh.aud, stored.aud)) return "id_token_aud_changed"
  if (stored.azp !== undefined && fresh.azp !== stored.azp) return "id_token_azp_changed"
  const { nonce, auth_time: authTime } = tokens.login ?? stored
  if (!continues(fresh.nonce, nonce)) return "id_token_nonce_changed"
  if (!authTimeContinues(fresh.auth_time, authTime, stored.iat, maxSkew)) return "id_token_auth_time_changed"
  // The machines of one provider may differ by moments; a token of another day is a replay.
  if (!isTime(fresh.iat) || !isTime(stored.iat) || fresh.iat < stored.iat - maxSkew)
    return "id_token_older_than_stored"
  return undefined
}

function sameAudience(fresh: unknown, stored: unknown): boolean {
  const [a, b] = [audiencesOf(fresh), audiencesOf(stored)]
  return a.every((one) => b.includes(one)) && b.every((one) => a.includes(one))
}

/** A refreshed token should leave the nonce out; one that bears it bears that of the login. */
const continues = (fresh: unknown, login: unknown): boolean =>
  fresh === undefined || (typeof fresh === "string" && typeof login === "string" && same(fresh, login))

/** May be left out. Where the login's is not known it cannot be later than the login's token. */
function authTimeContinues(fresh: unknown, login: unknown, storedIat: unknown, maxSkew: number): boolean {
  if (fresh === undefined) return true
  if (login !== undefined) return fresh === login
  return isTime(fresh) && isTime(storedIat) && fresh <= storedIat + maxSkew
}
