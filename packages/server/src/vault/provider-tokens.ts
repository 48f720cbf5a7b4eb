import type { ProviderTokens } from "../provider/types.js"
import type { SessionRow } from "../stores/contract.js"
import type { SealContext } from "./types.js"

/** An access token for another API, or with a narrower scope, than that of the login. */
export interface OtherToken {
  audience: string | null
  scope: string | null
  access_token: string
  expires_at?: number
  obtained_at: number
}

/** What is sealed into a row: the login's tokens as the provider last issued them, and access tokens for other APIs. */
export interface SealedTokens extends ProviderTokens {
  /** Seconds since the epoch at which they were issued. */
  obtained_at: number
  others?: OtherToken[]
}

/** Seconds for which an access token is believed to live where the provider does not say. */
const UNKNOWN_LIFETIME = 60

/** What the profile of a session is sealed to: it opens in no other row (G3). */
export const profileContext = (row: Pick<SessionRow, "idpIss" | "idpSub" | "sid">): SealContext => ({
  purpose: "profile",
  issuer: row.idpIss,
  subject: row.idpSub,
  sid: row.sid,
  rev: 0,
})

/** The same for the provider's tokens; their revision is bound in, so that an old blob cannot come back (G4). */
export const grantContext = (
  row: Pick<SessionRow, "idpIss" | "idpSub" | "sid" | "grantRev">,
): SealContext => ({
  purpose: "idp-tokens",
  issuer: row.idpIss,
  subject: row.idpSub,
  sid: row.sid,
  rev: row.grantRev,
})

/** Seconds since the epoch at which an access token is taken to end. */
export const endOf = ({
  expires_at,
  obtained_at,
}: Pick<SealedTokens, "expires_at" | "obtained_at">): number => expires_at ?? obtained_at + UNKNOWN_LIFETIME

/** Seconds from `now` until the grant is to be refreshed; `null` where nothing can refresh it. */
export const dueSeconds = (tokens: SealedTokens, now: number): number | null =>
  tokens.refresh_token === undefined ? null : Math.max(0, endOf(tokens) - now)

/** What an access token is asked for: nothing means as at login. */
export interface Wanted {
  scope?: string
  audience?: string
}

/** Access tokens for other APIs that are kept beside the login's: the last few that were asked for. */
const MAX_OTHERS = 8

const isFor = (other: OtherToken, { audience, scope }: Wanted) =>
  other.audience === (audience ?? null) && other.scope === (scope ?? null)

/** The access token that fits what is wanted, as far as there is one. */
export function chosen(
  tokens: SealedTokens,
  wanted: Wanted,
): Pick<SealedTokens, "access_token" | "expires_at" | "obtained_at"> | undefined {
  if (wanted.audience === undefined && wanted.scope === undefined) return tokens
  return tokens.others?.find((other) => isFor(other, wanted))
}

/** What is to be sealed after a refresh. An access token for another API leaves that of the login as it is. */
export function withRefreshed(
  old: SealedTokens,
  issued: ProviderTokens,
  wanted: Wanted,
  now: number,
): SealedTokens {
  const { others = [], ...login } = old
  const living = others.filter((other) => !isFor(other, wanted) && endOf(other) > now)
  if (wanted.audience === undefined && wanted.scope === undefined)
    return { ...issued, obtained_at: now, ...(living.length > 0 && { others: living }) }
  const other: OtherToken = {
    audience: wanted.audience ?? null,
    scope: wanted.scope ?? null,
    access_token: issued.access_token,
    obtained_at: now,
    ...(issued.expires_at !== undefined && { expires_at: issued.expires_at }),
  }
  const { refresh_token, id_token } = issued
  return {
    ...login,
    id_token,
    ...(refresh_token !== undefined && { refresh_token }),
    others: [other, ...living].slice(0, MAX_OTHERS),
  }
}
