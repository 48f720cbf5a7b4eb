import type { GrantState, SessionRow } from "./contract.js"

/**
 * Drivers differ: a blob is a Buffer, a Uint8Array or (libsql's `all`) an ArrayBuffer; a number may be a bigint, or (pg)
 * its text.
 */
type Blob = Uint8Array | ArrayBuffer
type Integer = number | bigint | string

/** A row of the table `pkce_sessions`. */
export interface SessionColumns {
  sid: string
  sub: string
  gen: Integer
  cur: Blob
  history: Blob
  created_at: Integer
  seen_at: Integer
  idle_expires_at: Integer
  absolute_expires_at: Integer
  revoked_at: Integer | null
  revoked_reason: string | null
  provider: string
  idp_iss: string
  idp_sub: string
  idp_sid: string | null
  device: string
  profile: Blob
  idp_grant: Blob | null
  grant_rev: Integer
  grant_state: string
  grant_due_at: Integer | null
  lease_number: Integer
  lease_expires_at: Integer
}

export const fromColumns = (row: SessionColumns): SessionRow => ({
  sid: row.sid,
  sub: row.sub,
  gen: Number(row.gen),
  cur: bytes(row.cur),
  history: bytes(row.history),
  createdAt: Number(row.created_at),
  seenAt: Number(row.seen_at),
  idleExpiresAt: Number(row.idle_expires_at),
  absoluteExpiresAt: Number(row.absolute_expires_at),
  revokedAt: row.revoked_at === null ? null : Number(row.revoked_at),
  revokedReason: row.revoked_reason,
  provider: row.provider,
  idpIss: row.idp_iss,
  idpSub: row.idp_sub,
  idpSid: row.idp_sid,
  device: row.device,
  profile: bytes(row.profile),
  grant: row.idp_grant === null ? null : bytes(row.idp_grant),
  grantRev: Number(row.grant_rev),
  grantState: row.grant_state as GrantState,
  grantDueAt: row.grant_due_at === null ? null : Number(row.grant_due_at),
  leaseNumber: Number(row.lease_number),
  leaseExpiresAt: Number(row.lease_expires_at),
})

/** A plain copy, so that no row pins a driver's pool. */
const bytes = (blob: Blob): Uint8Array => new Uint8Array(blob as ArrayBuffer)
