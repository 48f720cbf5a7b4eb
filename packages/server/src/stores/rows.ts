import type { Advance, NewSession, SessionRow } from "./contract.js"

/** Seconds that a row stays findable after its absolute expiry, so that a late client hears why its session ended. */
export const RETENTION = 86_400

const SLOTS = 32
const WIDTH = 8

/** Neither revoked nor expired. A session ends in the very second that its limit names. */
export const isLive = (row: SessionRow, now: number): boolean =>
  row.revokedAt === null && now < row.idleExpiresAt && now < row.absoluteExpiresAt

export const rowDead = (row: SessionRow, now: number): boolean => now >= row.absoluteExpiresAt + RETENTION

/** The row of a session that begins `now`. */
export function newRow(session: NewSession, now: number): SessionRow {
  const { idleSeconds, absoluteSeconds, notAfter: _, ...rest } = session
  const absoluteExpiresAt = now + absoluteSeconds
  return {
    ...rest,
    gen: 0,
    createdAt: now,
    seenAt: now,
    idleExpiresAt: Math.min(now + idleSeconds, absoluteExpiresAt),
    absoluteExpiresAt,
    revokedAt: null,
    revokedReason: null,
  }
}

/** The row after the step, or `null` where its comparison fails. */
export function advanced(row: SessionRow, step: Advance, now: number): SessionRow | null {
  const { expect, next, history, idleSeconds } = step
  if (row.gen !== expect.gen || !sameBytes(row.cur, expect.cur)) return null
  return {
    ...row,
    gen: next.gen,
    cur: new Uint8Array(next.cur),
    history: "ring" in history ? new Uint8Array(history.ring) : withMark(row.history, next.gen, history.mark),
    // F15: a clock that jumps back makes nothing younger than it was.
    seenAt: Math.max(row.seenAt, now),
    idleExpiresAt: Math.min(now + idleSeconds, row.absoluteExpiresAt),
  }
}

function withMark(ring: Uint8Array, gen: number, mark: Uint8Array): Uint8Array {
  const marked = new Uint8Array(ring)
  marked.set(mark, (gen % SLOTS) * WIDTH)
  return marked
}

const sameBytes = (a: Uint8Array, b: Uint8Array) =>
  a.length === b.length && a.every((byte, i) => byte === b[i])
