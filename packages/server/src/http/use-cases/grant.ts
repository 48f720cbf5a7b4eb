import type { Grant, UserInfo } from "@pkce/protocol"
import type { SessionRow } from "../../stores/contract.js"
import { profileContext } from "../../vault/provider-tokens.js"
import type { Rooms } from "../rooms.js"

type Profile = Record<string, unknown>

export async function openProfile({ vault }: Rooms, row: SessionRow): Promise<Profile> {
  return (await vault.open(row.profile, profileContext(row))) as Profile
}

/** The user as the app sees it. `sub` is ours; the provider's own names of the user stand beside it. */
export const userInfoOf = (row: SessionRow, profile: Profile): UserInfo => ({
  ...profile,
  sub: row.sub,
  idp_iss: row.idpIss,
  idp_sub: row.idpSub,
})

export interface Granted {
  row: SessionRow
  /** The store's time. */
  now: number
  /** `null` for a session without a line. */
  refreshToken: string | null
  /** False for a repeat that comes too late: a recorded request must be worth nothing (F5). */
  withSessionToken: boolean
  /** At login only; opened from the row where a claim needs it and it is not at hand. */
  profile?: Profile
}

/** The answer to `/exchange` and `/refresh`. */
export async function grantOf(rooms: Rooms, granted: Granted): Promise<Grant> {
  const { row, now, refreshToken, profile } = granted
  const signed = granted.withSessionToken
    ? await rooms.tokens.sign({
        sub: row.sub,
        sid: row.sid,
        claims: await claimsOf(rooms, row, profile),
        now,
        // F13: no session token outlives its session.
        notAfter: row.absoluteExpiresAt,
      })
    : null
  return {
    token_type: "Bearer",
    session_id: row.sid,
    server_time: now,
    ...(signed && { session_token: signed.token, expires_in: signed.expiresIn }),
    ...(refreshToken !== null && {
      refresh_token: refreshToken,
      refresh_expires_in: Math.max(0, Math.min(row.idleExpiresAt, row.absoluteExpiresAt) - now),
    }),
    ...(profile && { user_info: userInfoOf(row, profile) }),
  }
}

/** The claims that the team asked for. The profile is opened only where one of them is in it. */
async function claimsOf(rooms: Rooms, row: SessionRow, known: Profile | undefined): Promise<Profile> {
  const { claims: names } = rooms.config.session
  if (names.length === 0) return {}
  const own: Profile = { idp_iss: row.idpIss, idp_sub: row.idpSub }
  const needsProfile = names.some((name) => !Object.hasOwn(own, name))
  const profile = known ?? (needsProfile ? await openProfile(rooms, row) : {})
  const all = { ...profile, ...own }
  return Object.fromEntries(names.filter((name) => Object.hasOwn(all, name)).map((name) => [name, all[name]]))
}
