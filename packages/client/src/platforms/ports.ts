/** How a platform shows the provider's page and gets the answer. */
export interface BrowserPort {
  /**
   * Called synchronously inside the user's gesture, so that a window may be opened before anything is awaited.
   * `redirectUri` is what the app configured; the run may change it (the port of a loopback listener). `clock` is the client's.
   */
  start(redirectUri: string, clock: ClockPort): BrowserRun | Promise<BrowserRun>
  /** Opens a page from which nothing comes back: the provider's logout. */
  visit?(url: string): unknown
}

export interface BrowserRun {
  redirectUri: string
  /**
   * Opens the authorization URL. `expects` tells whether a URL that came in belongs to this login: one that does not is
   * to be ignored, so that a stranger who calls the callback address cannot end a login that is under way.
   */
  open(url: string, expects: (callbackUrl: string) => boolean): Promise<BrowserOutcome>
  /** Ends the run: what is open is closed, and `open` answers `cancelled`. May be called twice. */
  close(): void
}

export type BrowserOutcome =
  | { type: "callback"; url: string }
  | { type: "cancelled" }
  /** This page is gone; the login goes on in `restore()`. */
  | { type: "left" }

/**
 * ONE durable text: the client's whole record, so that what belongs together changes together. What it throws is
 * `storage_unavailable`, unless it is a `PkceError` of another code, such as `storage_locked`.
 */
export interface StoragePort {
  read(): Promise<string | null>
  /**
   * Atomic read, change and write, also against other tabs and processes, and durable before it resolves. `change` is
   * synchronous and may be called again if the write has to start over; `null` deletes, `undefined` leaves it as it is.
   */
  update(change: (current: string | null) => string | null | undefined): Promise<unknown>
  /**
   * Tells when what was stored is gone for good: the app was installed anew over what the device had kept, or a backup
   * brought what this device cannot open. Not for a storage that is locked, or fails: that throws.
   */
  onLost?(listener: (reason: LossReason) => void): void
}

export type LossReason = "reinstalled" | "unreadable"

export interface CryptoPort {
  /** From a cryptographically secure generator. */
  randomBytes(length: number): Uint8Array
  sha256(data: Uint8Array): Uint8Array | Promise<Uint8Array>
}

export interface ClockPort {
  /** Milliseconds since the epoch, as the device believes. It may jump. */
  wall(): number
  /** Milliseconds since any fixed moment. It never goes back. */
  monotonic(): number
  /** Runs once after that many milliseconds; the answer cancels it. */
  after(milliseconds: number, run: () => void): () => void
}

/** The client's copies in other tabs. A message says only that the record changed, never what is in it. */
export interface ChangesPort {
  post(): void
  subscribe(listener: () => void): void
}

type MaybeUrl = string | null | undefined

/** A platform: plain objects, so that a test can replace each of them. What listens to one listens as long as the app lives. */
export interface Platform {
  name: string
  /** Web: the session is bound to a cookie of the backend, and every request of ours bears it. */
  bind?: "cookie" | undefined
  browser: BrowserPort
  storage: StoragePort
  crypto: CryptoPort
  clock?: ClockPort
  /** Default: the global `fetch`. */
  http?: typeof fetch
  /** Where a `server` that is only a path belongs to. */
  origin?(): string | undefined
  /** The URL that the app was started or reloaded with. It need not be a callback. */
  callbackUrl?(): MaybeUrl | Promise<MaybeUrl>
  /** Called before any other work once that URL was seen to be a callback. */
  clearCallbackUrl?(): void
  changes?: ChangesPort
  /**
   * Waits for this copy's turn at the backend among those in other tabs; what it answers ends the turn. Rejects where there is
   * none to be had within a few seconds: two that go at once only send the identical request twice.
   */
  lock?(): Promise<() => void>
  /** URLs that the system hands to the running app; which of them are callbacks is not judged here. */
  links?(listener: (url: string) => void): void
  /** The app came to the front, or the network came back. */
  wakes?(listener: () => void): void
}
