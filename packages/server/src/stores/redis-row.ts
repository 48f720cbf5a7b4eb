import { Buffer } from "node:buffer"
import type { GrantState, NewSession, SessionRow } from "./contract.js"

const VERSION = 1

/** Their places are what is written: a new one goes to the end. */
const STATES: readonly GrantState[] = ["ok", "uncertain", "retried", "refused", "lost", "revoked"]

export const codeOf = (state: GrantState): number => STATES.indexOf(state)

export function stateOf(code: number): GrantState {
  const state = STATES[code]
  if (state === undefined) throw new Error(`a grant in state ${code}, which this release does not know`)
  return state
}

/**
 * What the scripts carry along unread: the names as one line of JSON with the device behind it, and the sealed values, which
 * end with the session (only the scripts of the grant look into these: redis-scripts.ts, LEASE and SEAL).
 */
export function packed(session: NewSession): { about: Buffer; sealed: Buffer } {
  const { provider, idpIss, idpSub, idpSid, device, profile, grant } = session
  const about = Buffer.from(`${JSON.stringify([provider, idpIss, idpSub, idpSid])}\n${device}`)
  const head = Buffer.alloc(5)
  head.writeUInt32BE(profile.length)
  head.writeUInt8(grant ? 1 : 0, 4)
  return { about, sealed: Buffer.concat([head, profile, grant ?? new Uint8Array()]) }
}

/** A row as the scripts write it (redis-scripts.ts, FORMAT). */
export function unpacked(sid: string, raw: Buffer): SessionRow {
  let at = 1
  const integer = (size: number): number => {
    at += size
    return raw.readUIntBE(at - size, size)
  }
  const bytes = (size: number): Buffer => {
    at += size
    return raw.subarray(at - size, at)
  }
  if (raw[0] !== VERSION) throw new Error(`a session of version ${raw[0]}, which this release cannot read`)
  const gen = integer(6)
  const grantRev = integer(6)
  const createdAt = integer(6)
  const seenAt = integer(6)
  const idleExpiresAt = integer(6)
  const absoluteExpiresAt = integer(6)
  const revokedAt = integer(6)
  const grantState = stateOf(integer(1))
  const leaseNumber = integer(4)
  const leaseExpiresAt = integer(6)
  const grantDueAt = integer(6)
  const history = bytes(integer(2))
  const cur = bytes(integer(1))
  const sub = bytes(integer(2)).toString()
  const reason = bytes(integer(2)).toString()
  const about = bytes(integer(2)).toString()
  const line = about.indexOf("\n")
  const [provider, idpIss, idpSub, idpSid] = JSON.parse(about.slice(0, line)) as Names
  const sealed = at < raw.length
  const profileLength = sealed ? integer(4) : 0
  const hasGrant = sealed && integer(1) === 1
  const profile = bytes(profileLength)
  return {
    // One by one: what stands behind a spread costs ten times as much, and this runs at every refresh.
    sid,
    sub,
    gen,
    createdAt,
    seenAt,
    idleExpiresAt,
    absoluteExpiresAt,
    grantRev,
    grantState,
    leaseNumber,
    leaseExpiresAt,
    grantDueAt: grantDueAt === 0 ? null : grantDueAt,
    provider,
    idpIss,
    idpSub,
    idpSid,
    device: about.slice(line + 1),
    // Plain copies, so that no row pins a driver's pool.
    cur: new Uint8Array(cur),
    history: new Uint8Array(history),
    profile: new Uint8Array(profile),
    grant: hasGrant ? new Uint8Array(raw.subarray(at)) : null,
    revokedAt: revokedAt === 0 ? null : revokedAt,
    revokedReason: revokedAt === 0 ? null : reason,
  }
}

type Names = [provider: string, idpIss: string, idpSub: string, idpSid: string | null]
