import type {
  ConfigAnswer,
  ExchangeRequest,
  Grant,
  LogoutAnswer,
  LogoutRequest,
  PendingAnswer,
  PollRequest,
  RedeemRequest,
  RefreshRequest,
  SessionAnswer,
  SessionDevice,
  StartAnswer,
  StartRequest,
} from "@pkce/protocol"
import type { HttpAnswer, HttpRequest } from "./http/message.js"
import type { Session } from "./session/types.js"
import type { SessionRow } from "./stores/contract.js"
import type {
  BackgroundRefreshOptions,
  RefreshDueOptions,
  RefreshDueReport,
} from "./vault/background-refresh.js"
import type { AccessTokenOptions } from "./vault/provider-grants.js"
import type { ResealOptions, ResealReport } from "./vault/reseal.js"

/** Anything that bears an `Authorization` header, or the session token itself. */
export type Authenticatable = string | Request | { headers: { authorization?: string | undefined } }

/** A session as the backend's own code sees it. */
export interface SessionRecord
  extends Pick<
    SessionRow,
    "sid" | "sub" | "createdAt" | "seenAt" | "absoluteExpiresAt" | "idpIss" | "idpSub" | "provider"
  > {
  /** What the app said of itself at login, and `ip`: the network that the login came from. */
  device: SessionDevice
}

/** The provider's tokens of one session. */
export interface ProviderAccess {
  /**
   * An access token that is good for at least `minTtl` seconds (default 60, or half of its lifetime if that is less), or, where no fresh one can be had, for as
   * long as it still is. `scope` (narrower than granted) and `audience` ask for another one than that of the login.
   */
  accessToken(options?: AccessTokenOptions): Promise<string>
  /** The user's claims, fresh from the provider (OpenID Connect Core section 5.3). */
  userInfo(): Promise<Record<string, unknown>>
  /** The user's claims as they were at login. One store read, no call of the provider. */
  claims(): Promise<Record<string, unknown>>
}

/** What `createPkceServer` returns. */
export interface PkceServer {
  /** Every route, for runtimes that speak Request and Response. */
  fetch(request: Request): Promise<Response>
  /** Every route as plain data: what the Node mounts call. */
  handle(request: HttpRequest): Promise<HttpAnswer>
  /**
   * The session that the request bears, or `null`. Without `checkRevocation` it costs no store call; with it one read, and
   * it throws `PkceError("unavailable")` where the store cannot be asked.
   */
  authenticate(from: Authenticatable, options?: { checkRevocation?: boolean }): Promise<Session | null>
  config(): Promise<ConfigAnswer>
  /**
   * The login. `clientAddress` is the client's IP address in full; of it the session keeps the network alone (24 bits of an
   * IPv4 address, 48 of an IPv6 one), and of anything that is not an address nothing.
   */
  exchange(input: ExchangeRequest, caller?: { clientAddress?: string | undefined }): Promise<Grant>
  refresh(input: RefreshRequest): Promise<Grant>
  /** Begins a hosted login. Throws `not_found` where `hosted` is not configured. */
  start(input: StartRequest, caller?: { clientAddress?: string | undefined }): Promise<StartAnswer>
  /** A handoff for a session. */
  redeem(input: RedeemRequest): Promise<Grant>
  /** A session, or that the user is not done. */
  poll(input: PollRequest): Promise<Grant | PendingAnswer>
  session(session: Session): Promise<SessionAnswer>
  logout(input: LogoutRequest & { session?: Session }): Promise<LogoutAnswer>
  jwks(): Promise<{ keys: { [member: string]: unknown }[] }>
  sessions: {
    /** The live sessions of a user (our `sub`), newest first. */
    list(sub: string): Promise<SessionRecord[]>
    get(sid: string): Promise<SessionRecord | null>
    /**
     * True where a live session was ended by this call. `reason` stands in the event and in the row.
     *
     * @throws TypeError where `reason` is longer than 256 characters or has a control character, here and in `revokeAll`
     */
    revoke(sid: string, reason?: string): Promise<boolean>
    revokeAll(sub: string, options?: { except?: string; reason?: string }): Promise<string[]>
  }
  /**
   * The provider's tokens of a session: for calls of the provider's APIs in the user's name. Each call costs one store
   * read; the provider is asked when a token is due, by one process of the fleet. Throws `PkceError`:
   * `reauthentication_required` where the provider's grant has come to its end (the session goes on),
   * `provider_grant_unreadable`, `session_revoked` or `session_expired`, and `idp_*` or `unavailable`, which are retryable.
   *
   * @example
   * ```ts
   * const token = await auth.provider(req.auth).accessToken({ minTtl: 120 })
   * ```
   */
  provider(session: Session | string): ProviderAccess
  /** Refreshes what is due, once: for a cron job. Several may run at once. Throws where the store cannot be asked. */
  refreshDueGrants(options?: RefreshDueOptions): Promise<RefreshDueReport>
  /** The same again and again, until the function that it returns is called, or `close`. */
  startBackgroundRefresh(options?: BackgroundRefreshOptions): () => Promise<void>
  /**
   * Seals anew what an older key has sealed, and counts the live sessions by their keys: a cron job after a rotation. Several
   * may run at once. Throws `PkceError("unavailable")` where the store or the key provider cannot be asked.
   *
   * @example
   * ```ts
   * const { rows, skipped } = await auth.resealSessions({ limit: 10_000 })
   * ```
   */
  resealSessions(options?: ResealOptions): Promise<ResealReport>
  /** Acts upon a logout token (OpenID Connect Back-Channel Logout 1.0). */
  backchannelLogout(logoutToken: string): Promise<void>
  /** Finishes what is under way at the providers, for at most 25 s; closes the connections to them and to the store. */
  close(): Promise<void>
}
