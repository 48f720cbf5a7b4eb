import { PkceError } from "../../errors.js"
import type { Authenticatable } from "../../server-types.js"
import type { Session } from "../../session/types.js"
import type { SessionRow } from "../../stores/contract.js"
import { NO_CREDENTIAL } from "../errors.js"
import type { HttpRequest } from "../message.js"
import type { Rooms } from "../rooms.js"

// RFC 6750 section 2.1. Two headers, joined by a comma, match nothing (F7).
const BEARER = /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i
const MAX_TOKEN = 8192

/** The token of an `Authorization` header, or `null` for everything else. */
export function bearerToken(header: unknown): string | null {
  if (typeof header !== "string" || header.length > MAX_TOKEN) return null
  return BEARER.exec(header)?.[1] ?? null
}

/** F8: total: whatever is passed, there is a token or there is none. */
function tokenOf(from: Authenticatable): string | null {
  if (typeof from === "string") return from.length <= MAX_TOKEN ? from : null
  const headers: unknown = (from as { headers?: unknown } | null | undefined)?.headers
  if (typeof headers !== "object" || headers === null) return null
  if (typeof (headers as Headers).get === "function")
    return bearerToken((headers as Headers).get("authorization"))
  return bearerToken((headers as { authorization?: unknown }).authorization)
}

/** The session, or `null`; throws only where the store was to be asked and could not be (F17). */
export const createAuthenticate =
  (rooms: Rooms) =>
  async (from: Authenticatable, options: { checkRevocation?: boolean } = {}): Promise<Session | null> => {
    const token = tokenOf(from)
    const session = token === null ? null : await rooms.tokens.verify(token)
    if (session === null || !options.checkRevocation) return session
    try {
      await liveRow(rooms, session.id)
      return session
    } catch (error) {
      if (error instanceof PkceError && error.status === 401) return null
      throw error
    }
  }

/** The session of a route that demands one. */
export async function requireBearer(rooms: Rooms, request: HttpRequest): Promise<Session> {
  const header = request.header("authorization")
  if (header === undefined) throw new PkceError("invalid_token", { reason: NO_CREDENTIAL })
  const token = bearerToken(header)
  const session = token === null ? null : await rooms.tokens.verify(token)
  if (session === null) throw new PkceError("invalid_token")
  return session
}

/** The row of a session that has neither ended nor expired, by one store read; else the 401 that says which. */
export async function liveRow(rooms: Rooms, sid: string): Promise<{ row: SessionRow; now: number }> {
  const { row, now } = await rooms.store.find(sid)
  if (row && row.revokedAt === null && now < Math.min(row.idleExpiresAt, row.absoluteExpiresAt))
    return { row, now }
  // F11: from now on this process refuses its tokens without asking again.
  rooms.tokens.forget(sid)
  throw new PkceError(row && row.revokedAt !== null ? "session_revoked" : "session_expired")
}
