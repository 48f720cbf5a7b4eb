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
  grantState: GrantState
  /** When the provider's access token is to be refreshed; `null` where it cannot be. */
  grantDueAt: number | null
  /** The fencing number: leases of the grant that were ever given. */
  leaseNumber: number
  /** The lease that bears this number is over from then on; 0 where its holder gave it back. */
  leaseExpiresAt: number
}

/**
 * What is known of the provider's tokens.
 * `ok`: what is sealed is what the provider last issued.
 * `uncertain`: a refresh was begun, and nobody knows whether the provider has rotated its token since.
 * `retried`: it was begun again from there.
 * `refused`: the provider said `invalid_grant` once, to a token that nobody else can have spent.
 * `lost`: the token was spent and its successor never arrived. `revoked`: the provider has ended the grant.
 */
export type GrantState = "ok" | "uncertain" | "retried" | "refused" | "lost" | "revoked"

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
    | "grantState"
    | "grantDueAt"
    | "leaseNumber"
    | "leaseExpiresAt"
  > {
  /** The ring with the mark of generation 0. */
  history: Uint8Array
  idleSeconds: number
  absoluteSeconds: number
  /** Seconds from now after which the provider's access token is to be refreshed; `null` where it cannot be. */
  grantDueSeconds: number | null
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

export type LeaseResult =
  /** `before` is the state that the lease found: it tells what became of the lease before this one. */
  | { outcome: "leased"; row: SessionRow; before: GrantState; now: number }
  /** Another lease runs, `rev` is an old one, there is no grant, or the session is over. Nothing was written. */
  | { outcome: "refused"; row: SessionRow; now: number }
  | { outcome: "missing"; now: number }

export interface SealGrant {
  sid: string
  /** The revision that was read. */
  rev: number
  /** The fencing number that was given with the lease, or was read from a row that nobody had leased. */
  lease: number
  state: GrantState
  /** As in {@link NewSession.grantDueSeconds}. */
  dueSeconds: number | null
  /** Sealed for revision `rev + 1`, which the row then bears. Left out, the tokens and their revision stay. */
  grant?: Uint8Array
  /** The profile, sealed anew. */
  profile?: Uint8Array
}

export type SealResult =
  | { outcome: "sealed"; row: SessionRow; now: number }
  /** Nothing was written; the row as it stands. */
  | { outcome: "refused"; row: SessionRow; now: number }
  | { outcome: "missing"; now: number }

/**
 * Kinds of single-use values. One key space each: a value of one kind is never found as another. `logout` marks a session
 * that the provider has ended, `jti` a logout token that was acted upon.
 */
export type OnceKind = "code" | "ticket" | "handoff" | "login" | "jti" | "logout"

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

  /** Ends all live sessions that began in one session at the provider (`sid` of the ID token). The ids that this call ended. */
  revokeByProviderSession(idpIss: string, idpSid: string, reason: string): Promise<string[]>

  /**
   * Takes the grant of a live session for `seconds`, to refresh it: only while `rev` is the row's and no other lease runs.
   * It counts up the fencing number and writes the intent: `ok` and `refused` become `uncertain`, `uncertain` and `retried`
   * become `retried`; a grant that is `lost` or `revoked` is refused. Closes: many processes that refresh one grant (H1); a
   * process that dies between the provider's answer and its own save (H2), which the next lease sees in `before`.
   */
  leaseGrant(sid: string, lease: { rev: number; seconds: number }): Promise<LeaseResult>

  /**
   * Ends a lease, with the new tokens or without: only while the session is live, `rev` is the row's, and `lease` is the
   * last one or no lease runs. Closes: a holder that was stopped beyond its lease and saves over newer tokens (R14).
   */
  sealGrant(seal: SealGrant): Promise<SealResult>

  /**
   * Live sessions whose grant is due in `within` seconds and which nobody has leased, the earliest first, at most `limit`.
   * What it gives may be leased a moment later: the lease decides who refreshes. A session that it finds expired may lose its
   * `grantDueAt`, so that it is not found again.
   */
  due(within: number, limit: number): Promise<{ rows: SessionRow[]; now: number }>

  /**
   * A page of the live sessions, in an order of the store's own: `null` begins, `next` goes on and is `null` at the end. A
   * session that lives throughout is met at least once. A page has at most `limit` rows, and fewer, or none, does not mean
   * that it is the last.
   */
  scan(from: string | null, limit: number): Promise<{ rows: SessionRow[]; next: string | null; now: number }>

  /** Create-if-absent of a single-use value. Closes: one code at two processes (C4), a ticket or handoff used twice. */
  claim(kind: OnceKind, key: string, value: string, ttlSeconds: number): Promise<ClaimResult>

  /** Reads a claimed value and leaves it there; `null` where there is none. */
  peek(kind: OnceKind, key: string): Promise<string | null>

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
