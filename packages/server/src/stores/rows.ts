import type { Advance, GrantState, NewSession, SealGrant, SessionRow } from "./contract.js"

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
  const { sid, sub, cur, history, provider, idpIss, idpSub, idpSid, device } = session
  const { profile, grant, grantRev, idleSeconds, absoluteSeconds, grantDueSeconds } = session
  const absoluteExpiresAt = now + absoluteSeconds
  // Member by member: with a rest of the session an engine makes an object that it also copies many times as slowly.
  return {
    sid,
    sub,
    gen: 0,
    cur,
    history,
    createdAt: now,
    seenAt: now,
    idleExpiresAt: Math.min(now + idleSeconds, absoluteExpiresAt),
    absoluteExpiresAt,
    revokedAt: null,
    revokedReason: null,
    provider,
    idpIss,
    idpSub,
    idpSid,
    device,
    profile,
    grant,
    grantRev,
    grantState: "ok",
    grantDueAt: grantDueSeconds === null ? null : now + grantDueSeconds,
    leaseNumber: 0,
    leaseExpiresAt: 0,
  }
}

/** The row that has ended. Nobody can use what is sealed in there any more: no more is kept of it than its name. */
export const ended = (row: SessionRow, reason: string, now: number): SessionRow => ({
  ...row,
  profile: new Uint8Array(),
  grant: null,
  grantDueAt: null,
  revokedAt: now,
  revokedReason: reason,
})

/** The intent, written before the provider is called (H2). */
const INTENT: Partial<Record<GrantState, GrantState>> = {
  ok: "uncertain",
  refused: "uncertain",
  uncertain: "retried",
  retried: "retried",
}

/** The live row with its grant leased, or `null` where it cannot be. */
export function leased(
  row: SessionRow,
  { rev, seconds }: { rev: number; seconds: number },
  now: number,
): SessionRow | null {
  const grantState = INTENT[row.grantState]
  if (row.grantRev !== rev || row.grant === null || now < row.leaseExpiresAt || !grantState) return null
  return { ...row, grantState, leaseNumber: row.leaseNumber + 1, leaseExpiresAt: now + seconds }
}

/** The live row after its lease, or `null` where somebody else's has taken its place. */
export function sealedAnew(row: SessionRow, seal: SealGrant, now: number): SessionRow | null {
  const { rev, lease, state, dueSeconds, grant, profile } = seal
  const fenced = row.leaseNumber !== lease && now < row.leaseExpiresAt
  if (row.grantRev !== rev || fenced) return null
  return {
    ...row,
    ...(grant && { grant: new Uint8Array(grant), grantRev: rev + 1 }),
    ...(profile && { profile: new Uint8Array(profile) }),
    grantState: state,
    grantDueAt: dueSeconds === null ? null : now + dueSeconds,
    leaseExpiresAt: 0,
  }
}

export const isDue = (row: SessionRow, within: number, now: number): boolean =>
  row.grantDueAt !== null && row.grantDueAt <= now + within && now >= row.leaseExpiresAt

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
