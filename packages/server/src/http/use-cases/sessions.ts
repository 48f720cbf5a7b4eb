import {
  isChallenge,
  isIdentifier,
  type SessionAnswer,
  type SessionDevice,
  type SessionListAnswer,
} from "@pkce/protocol"
import { PkceError } from "../../errors.js"
import type { PkceServer, SessionRecord } from "../../server-types.js"
import type { Session } from "../../session/types.js"
import type { SessionRow } from "../../stores/contract.js"
import type { EndLater } from "../persistent-revocations.js"
import type { Rooms } from "../rooms.js"
import { liveRow } from "./authenticate.js"
import { openProfile, userInfoOf } from "./grant.js"

const expiryOf = (row: SessionRow) => Math.min(row.idleExpiresAt, row.absoluteExpiresAt)

function deviceOf(row: SessionRow): SessionDevice {
  const device: unknown = JSON.parse(row.device)
  return typeof device === "object" && device !== null ? device : {}
}

/** What every store can keep: PostgreSQL has no NUL, UTF-8 no half of a pair, and a Redis row 16 bits for the length. */
function checkReason(reason: string): void {
  if (typeof reason !== "string" || reason.length > 256 || /[\p{Cc}\p{Cs}]/u.test(reason))
    throw new TypeError(
      "sessions: `reason` must be a text of at most 256 characters, none a control character.",
    )
}

/** Base64url of 32 bytes, as a challenge is. */
const isUser = isChallenge

const recordOf = (row: SessionRow): SessionRecord => ({
  sid: row.sid,
  sub: row.sub,
  createdAt: row.createdAt,
  seenAt: row.seenAt,
  absoluteExpiresAt: row.absoluteExpiresAt,
  idpIss: row.idpIss,
  idpSub: row.idpSub,
  provider: row.provider,
  device: deviceOf(row),
})

/** What the backend's own code may do with sessions; no caller's rights are asked here. */
export function createSessionAdministration(rooms: Rooms): PkceServer["sessions"] {
  const { store, tokens, emit, grants, endSession, endLater } = rooms

  /** F12: a store that cannot even be read is to end them all the same, when it is back. */
  const orEndLater = <T>(read: Promise<T>, ...whose: Parameters<EndLater>): Promise<T> =>
    read.catch((error: unknown) => {
      endLater(...whose)
      throw error
    })

  return {
    async list(sub) {
      return isUser(sub) ? (await store.listByUser(sub)).rows.map(recordOf) : []
    },
    async get(sid) {
      if (!isIdentifier(sid)) return null
      const { row, now } = await store.find(sid)
      return row && row.revokedAt === null && now < expiryOf(row) ? recordOf(row) : null
    },
    async revoke(sid, reason = "administrator") {
      checkReason(reason)
      if (!isIdentifier(sid)) return false
      // First: what is sealed in the row goes when the session ends, and with it what revokes the provider's token.
      const { row } = await orEndLater(store.find(sid), { sid }, reason)
      const ended = await endSession(sid, reason)
      if (ended && row) grants.revokeLater(row)
      return ended
    },
    async revokeAll(sub, { except, reason = "administrator" } = {}) {
      checkReason(reason)
      if (!isUser(sub)) return []
      const { rows } = await orEndLater(store.listByUser(sub), { sub, except }, reason)
      const ended = await store.revokeByUser(sub, reason, except)
      for (const sid of ended) {
        tokens.forget(sid)
        emit({ type: "session.revoked", session_id: sid, sub, reason })
        const row = rows.find((candidate) => candidate.sid === sid)
        if (row) grants.revokeLater(row)
      }
      return ended
    },
  }
}

/** What a signed-in user may do with the sessions of this user, and of no other (F14). */
export function createOwnSessions(rooms: Rooms, administration: PkceServer["sessions"]) {
  const { store, tokens } = rooms
  return {
    async describe(session: Session): Promise<SessionAnswer> {
      const { row } = await liveRow(rooms, session.id)
      return {
        session: {
          session_id: row.sid,
          sub: row.sub,
          idp_iss: row.idpIss,
          idp_sub: row.idpSub,
          provider: row.provider,
          created_at: row.createdAt,
          expires_at: expiryOf(row),
        },
        user_info: userInfoOf(row, await openProfile(rooms, row)),
      }
    },

    async list(session: Session): Promise<SessionListAnswer> {
      const { rows } = await store.listByUser(session.user.sub)
      // A token outlives the end of its session by some minutes: it must not show the others' names meanwhile.
      if (!rows.some((row) => row.sid === session.id)) {
        tokens.forget(session.id)
        throw new PkceError("session_revoked")
      }
      const sessions = rows.map((row) => ({
        session_id: row.sid,
        current: row.sid === session.id,
        created_at: row.createdAt,
        last_seen_at: row.seenAt,
        expires_at: expiryOf(row),
        device: deviceOf(row),
      }))
      return { sessions }
    },

    async revoke(session: Session, sid: string): Promise<void> {
      await liveRow(rooms, session.id)
      const { row } = await store.find(sid)
      // F14: somebody else's session and one that does not exist are the same answer. One of the caller's that has ended
      // is no error: a repeat whose first answer was lost hears what that one said.
      if (row?.sub !== session.user.sub) throw new PkceError("not_found")
      await administration.revoke(sid, "user")
    },

    async revokeOthers(session: Session): Promise<void> {
      await liveRow(rooms, session.id)
      await administration.revokeAll(session.user.sub, { except: session.id, reason: "user" })
    },
  }
}
