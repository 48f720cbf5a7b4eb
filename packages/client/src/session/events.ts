import type { UserInfo } from "@pkce/protocol"
import type { PkceError, PkceErrorCode } from "../errors.js"
import type { LossReason } from "../platforms/ports.js"

/** Who is logged in, as the app sees it. */
export interface ClientSession {
  id: string
  /** The id of the provider that the user logged in at. */
  provider: string
  /** What the provider said of the user at login. */
  user?: UserInfo | undefined
  /** Its token has ended and no newer one could be had yet, as after a start without a network. Nobody is logged out by it. */
  stale?: true
}

/** What {@link PkceClient.subscribe} reports, also of changes that another tab made. */
export type PkceClientEvent =
  | { type: "signed_in"; session: ClientSession }
  /** `logout`, `elsewhere` (another tab or process), or the backend's reason. */
  | { type: "signed_out"; session: null; reason: "logout" | "elsewhere" | PkceErrorCode }
  | { type: "refreshed"; session: ClientSession }
  /** The backend refuses to refresh for a reason that is no reason to log out; tried again at the next start. */
  | { type: "stalled"; session: ClientSession; error: PkceError }
  /** A login failed that no `login()` waited for: its callback came by a link, or `restore()` went on polling for it. */
  | { type: "login_failed"; session: ClientSession | null; error: PkceError }
  /** The device no longer has, or can no longer open, what was stored: the user must log in again. */
  | { type: "storage_lost"; session: null; reason: LossReason }
  /** A callback that belongs to no login of this app: forged, late or twice. */
  | { type: "callback_ignored"; session: ClientSession | null; error: PkceError }

export interface Events {
  emit(event: PkceClientEvent): void
  subscribe(listener: (event: PkceClientEvent) => void): () => void
}

export function createEvents(): Events {
  const listeners = new Set<(event: PkceClientEvent) => void>()
  return {
    emit(event) {
      // A listener's fault is the app's to see, as a rejection that nobody handles, and must not break the step that it was
      // told of.
      for (const listener of listeners) void (async () => listener(event))()
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}
