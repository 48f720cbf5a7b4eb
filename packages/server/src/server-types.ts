import type {
  ConfigAnswer,
  ExchangeRequest,
  Grant,
  LogoutAnswer,
  LogoutRequest,
  RefreshRequest,
  SessionAnswer,
  SessionDevice,
} from "@pkce/protocol"
import type { HttpAnswer, HttpRequest } from "./http/message.js"
import type { Session } from "./session/types.js"
import type { SessionRow } from "./stores/contract.js"

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
  session(session: Session): Promise<SessionAnswer>
  logout(input: LogoutRequest & { session?: Session }): Promise<LogoutAnswer>
  jwks(): Promise<{ keys: { [member: string]: unknown }[] }>
  sessions: {
    /** The live sessions of a user (our `sub`), newest first. */
    list(sub: string): Promise<SessionRecord[]>
    get(sid: string): Promise<SessionRecord | null>
    /** True where a live session was ended by this call. */
    revoke(sid: string, reason?: string): Promise<boolean>
    revokeAll(sub: string, options?: { except?: string; reason?: string }): Promise<string[]>
  }
  /** Closes the connections to the providers and the store. */
  close(): Promise<void>
}
