/** Everything a store keeps of one session. All times are whole seconds of the store's own clock. */
export interface SessionRow {
  /** `session_id`: 22 characters of base64url. */
  sid: string
  /** Our own user key: base64url SHA-256 of issuer and subject. */
  sub: string
  /** The generation of the line, from 0. */
  gen: number
  /** SHA-256(secret of `gen` ‖ its challenge), 32 bytes; empty where the session has no line (no refresh). */
  cur: Uint8Array
  /** The ring: 32 slots of 8 bytes, slot `g % 32` holds the mark of generation `g`, all zero where it is unknown. */
  history: Uint8Array
  createdAt: number
  /** Time of the last advance; `createdAt` before the first. Only moves forward. */
  seenAt: number
  idleExpiresAt: number
  absoluteExpiresAt: number
  revokedAt: number | null
  revokedReason: string | null
  /** Id of the provider entry, and who the user is there. */
  provider: string
  idpIss: string
  idpSub: string
  /** `sid` of the ID token, where the provider sends one. */
  idpSid: string | null
  /** JSON of the device's description. */
  device: string
  /** Sealed profile claims. */
  profile: Uint8Array
  /** Sealed tokens of the provider, and their revision (which is bound into the seal). */
  grant: Uint8Array | null
  grantRev: number
}

export interface NewSession
  extends Omit<
    SessionRow,
    | "gen"
    | "history"
    | "createdAt"
    | "seenAt"
    | "idleExpiresAt"
    | "absoluteExpiresAt"
    | "revokedAt"
    | "revokedReason"
  > {
  /** The ring with the mark of generation 0. */
  history: Uint8Array
  idleSeconds: number
  absoluteSeconds: number
  /** The store refuses the row when its clock has passed this (the claim on the code has expired). */
  notAfter: number
}

export type CreateResult =
  | { outcome: "created"; row: SessionRow; now: number }
  /** The id is taken. Nothing was written. */
  | { outcome: "exists"; row: SessionRow; now: number }
  /** `notAfter` has passed. Nothing was written. */
  | { outcome: "late"; now: number }

export interface Advance {
  sid: string
  expect: { gen: number; cur: Uint8Array }
  next: { gen: number; cur: Uint8Array }
  /**
   * What becomes of the ring: one mark in slot `next.gen % 32` (the normal step), or a whole new ring
   * (a forward move, made from the row that `expect` was read from).
   */
  history: { mark: Uint8Array } | { ring: Uint8Array }
  /** The new idle limit, counted from now and never beyond the absolute one. */
  idleSeconds: number
}

export type AdvanceResult =
  | { outcome: "advanced"; row: SessionRow; now: number }
  /** The comparison failed, or the row is revoked or expired. Nothing was written; the row as it stands. */
  | { outcome: "refused"; row: SessionRow; now: number }
  | { outcome: "missing"; now: number }

/** Kinds of single-use values. One key space each: a value of one kind is never found as another. */
export type OnceKind = "code" | "ticket" | "handoff" | "login" | "jti"

export type ClaimResult =
  | { outcome: "claimed"; now: number }
  /** It was there before; nothing was written. */
  | { outcome: "taken"; value: string; now: number }

/**
 * The contract of a store: state transitions, not tables. Every method is atomic, updates never create,
 * and expiry is judged inside the operation by the store's own clock. A method that cannot reach its
 * store throws; the caller answers 503 and never ends a session for it.
 */
export interface Store {
  /** For the start-up report. A `"memory"` store refuses production unless told otherwise. */
  readonly kind: string

  /** Create-if-absent. Closes: two processes that redeem one code; a process that wakes after its claim expired. */
  create(session: NewSession): Promise<CreateResult>

  /**
   * The line's compare-and-swap, in ONE round trip: succeeds only while `gen` and `cur` are the expected ones and the
   * row is neither revoked nor expired. Closes: the same generation used at two processes at once (F4).
   */
  advance(step: Advance): Promise<AdvanceResult>

  /** The row, also when it is revoked or expired (until it is swept), with the store's time. */
  find(sid: string): Promise<{ row: SessionRow | null; now: number }>

  /** Ends a session. Idempotent: the first reason stays. True where a live row was ended by this call. Never creates. */
  revoke(sid: string, reason: string): Promise<boolean>

  /** The live sessions of one user, newest first. */
  listByUser(sub: string): Promise<{ rows: SessionRow[]; now: number }>

  /** Ends all live sessions of one user, but `except`. The ids that this call ended. */
  revokeByUser(sub: string, reason: string, except?: string): Promise<string[]>

  /** Create-if-absent of a single-use value. Closes: one code at two processes (C4), a ticket or handoff used twice. */
  claim(kind: OnceKind, key: string, value: string, ttlSeconds: number): Promise<ClaimResult>

  /** Replaces a claimed value where it still is `expected`; its expiry stays. Never creates. */
  settle(kind: OnceKind, key: string, expected: string, value: string): Promise<boolean>

  /** Deletes a claimed value where it still is `expected`. Closes: releasing a claim that somebody else made since. */
  release(kind: OnceKind, key: string, expected: string): Promise<boolean>

  /** Reads and deletes in one step; `null` where there is none. Closes: one ticket taken twice. */
  take(kind: OnceKind, key: string): Promise<string | null>

  /** Deletes at most `limit` rows and values that have expired. The number deleted. */
  sweep(limit: number): Promise<number>

  /**
   * Calls `listener` with the id of every session that any process ends, as soon as this process can hear of it; returns
   * what ends that. Left out where the store cannot push. What is ended while the connection is lost may go unheard: a
   * session token is short-lived, and the next refresh is refused in any case.
   */
  onRevoked?(listener: (sid: string) => void): () => void

  close?(): Promise<void> | void
}
