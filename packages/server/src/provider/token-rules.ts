import type { TokenFlaw } from "./failures.js"
import type { JsonObject } from "./strict-json.js"

const MAX_ISSUED_AGE = 600
/** In the year 5138; a larger value is not in seconds. */
const MAX_TIME = 1e11

export interface AudiencePolicy {
  clientId: string
  trustedAudiences: readonly string[]
}

/** Whom a token is for (OpenID Connect Core section 3.1.3.7 items 3 to 5). */
export function audienceFlaw(
  { aud, azp }: JsonObject,
  { clientId, trustedAudiences }: AudiencePolicy,
): TokenFlaw | undefined {
  const audiences = audiencesOf(aud)
  if (!audiences.includes(clientId)) return "aud_mismatch"
  // E9: a stranger in `aud` could present our token as its own, or its own to us.
  const strangers = audiences.filter((one) => one !== clientId)
  if (!strangers.every((one) => typeof one === "string" && trustedAudiences.includes(one)))
    return "aud_mismatch"
  if (azp === undefined ? audiences.length > 1 : azp !== clientId) return "azp_mismatch"
  return undefined
}

/** RFC 7519 section 4.1.3: one audience may stand without its brackets. */
export const audiencesOf = (aud: unknown): unknown[] => (Array.isArray(aud) ? aud : [aud])

export const isTime = (value: unknown): value is number =>
  typeof value === "number" && value >= 0 && value < MAX_TIME

export interface TimePolicy {
  /** Seconds of clock difference. */
  maxSkew: number
  /** Seconds after `exp` for which the token is still good. */
  lateness: number
}

/** When a token is good. `now` in seconds. */
export function timeFlaw(
  { exp, iat, nbf }: JsonObject,
  { maxSkew, lateness }: TimePolicy,
  now: number,
): TokenFlaw | undefined {
  if (!isTime(exp)) return "exp_invalid"
  if (exp <= now - lateness) return "expired"
  if (!isTime(iat) || iat > now + maxSkew || iat < now - MAX_ISSUED_AGE - maxSkew) return "iat_invalid"
  if (nbf !== undefined && !(isTime(nbf) && nbf <= now + maxSkew)) return "nbf_invalid"
  return undefined
}

/** PostgreSQL keeps no NUL, and UTF-8 no half of a pair: what has one could never be saved, nor found again. */
export const isStorable = (text: string): boolean => !/[\0\ud800-\udfff]/u.test(text)

/** E14: OpenID Connect Core section 2 bounds it. */
export const isSubject = (sub: unknown): sub is string =>
  typeof sub === "string" && sub !== "" && sub.length <= 255 && isStorable(sub)
