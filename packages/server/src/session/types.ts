import type { SessionRow } from "../stores/contract.js"

/** A verified session token. */
export interface Session {
  /** `session_id`. */
  id: string
  /** What the session token says of the user. `sub` is our own key of the user, stable per (issuer, subject). */
  user: { sub: string; [claim: string]: unknown }
  /** Seconds since the epoch at which the token ends (not the session: that is refreshed). */
  expiresAt: number
}

/** Signs and verifies session tokens. */
export interface SessionTokens {
  /** `lifetime` seconds, less jitter, and never beyond `notAfter`. */
  sign(input: {
    sub: string
    sid: string
    claims: Record<string, unknown>
    now: number
    notAfter: number
  }): Promise<{
    token: string
    expiresIn: number
  }>
  /** The session, or `null` for anything else; never throws, whatever the input. Costs no store call. */
  verify(token: string): Session | null | Promise<Session | null>
  /** From now on tokens of this session are refused by this process. */
  forget(sid: string): void
  /** The public keys; empty with HS256. */
  jwks(): Promise<{ keys: { [member: string]: unknown }[] }>
}

/** The result of a step of the line. */
export type Step =
  | {
      outcome: "granted"
      row: SessionRow
      refreshToken: string
      now: number
      repeat: boolean
      withSessionToken: boolean
    }
  | {
      outcome: "ended"
      code: "invalid_token" | "session_expired" | "session_revoked" | "session_reuse_detected"
    }

/** Who says that a session is theirs. */
export interface Proof {
  refreshToken: string
  verifier: string
  /** The cookie of that session, where the request bears one; asked for only where the session is bound to a cookie. */
  binderOf?: (sid: string) => string | undefined
}

/** The session line: the server's side of `POST /refresh` (see docs/session-line.md). */
export interface SessionLine {
  /** What generation 0 puts into the row, and its refresh token: deterministic in (kid, code, verifier, challenge). */
  begin(input: {
    kid: string
    sid: string
    code: string
    codeVerifier: string
    challenge: string
    /** Binds the session to a cookie. */
    bound?: boolean
  }): Promise<{
    cur: Uint8Array
    history: Uint8Array
    refreshToken: string
    /** The cookie's value, as deterministic as the rest. */
    binder: string | null
  }>
  /** Throws `PkceError("unavailable")` for an unknown key id or a store that cannot be reached. */
  refresh(input: Proof & { challenge: string }): Promise<Step>
  /**
   * Whether these two halves are the session's current credential (or a repeat of its last one): for logout without a bearer. The session id,
   * or `null`. Never raises an alarm.
   */
  prove(input: Proof): Promise<string | null>
}
