import type { Awaitable, HmacKey } from "../runtime/crypto.js"

/**
 * Purposes a master secret is split into by HKDF: a value made for one can never pass as another (G7, E17).
 * `refresh-mac` authenticates refresh tokens, `refresh-derive` makes successors, `exchange` makes generation 0,
 * `session-hs256` and `session-ed25519` sign session tokens, `seal` seals, `ticket` names logout tickets, `hosted` makes the
 * secrets of a hosted login,
 * `fingerprint` makes the `fp` of events.
 */
export type KeyPurpose =
  | "refresh-mac"
  | "refresh-derive"
  | "exchange"
  | "session-hs256"
  | "session-ed25519"
  | "seal"
  | "ticket"
  | "hosted"
  | "fingerprint"

/**
 * The secrets, newest first, each under an id derived from it. Keys are derived once and kept. What is `Awaitable` is
 * synchronous where the runtime's crypto is.
 */
export interface KeyRing {
  /** The id of the secret that signs and seals at `at`, in seconds; by default now. The same on every process. */
  active(at?: number): Awaitable<string>
  /** All ids that still verify. */
  kids(): Awaitable<readonly string[]>
  /** Whether the id is one of ours, one on `retiredKids`, or unknown (which is our fault: 503, never 401). */
  state(kid: string): Awaitable<"known" | "retired" | "unknown">
  /** 32 bytes derived for the purpose. Throws `PkceError("unavailable")` for an id that is not known. */
  bytes(kid: string, purpose: KeyPurpose): Awaitable<Uint8Array>
  /** The same as an HMAC key. */
  hmac(kid: string, purpose: KeyPurpose): Awaitable<HmacKey>
}

/** What a sealed value is bound to; it opens nowhere else (G3, G4). */
export interface SealContext {
  purpose: "profile" | "idp-tokens" | "ticket" | "login" | "handoff"
  issuer: string
  subject: string
  sid: string
  rev: number
}

export interface Vault {
  /**
   * Resolves once a key to seal with is at hand. To be awaited before anything is fetched that is there only once, such as
   * the tokens of a code: what cannot be sealed would be lost. Throws `PkceError("unavailable")`.
   */
  ready(): Promise<void>
  /** Throws `PkceError("unavailable")` where there is no key to seal with. */
  seal(value: unknown, context: SealContext): Promise<Uint8Array>
  /**
   * The value. Throws `PkceError("provider_grant_unreadable")` for anything that does not open, one error for all causes
   * but one: `reason` is `key_retired` where the team has given the key up. A key that cannot be had now is an outage of
   * ours: `PkceError("unavailable")`, and an event.
   */
  open(sealed: Uint8Array, context: SealContext): Promise<unknown>
  /** The name of the key that a value is sealed with; `null` for what is no sealed value. */
  sealedWith(sealed: Uint8Array): string | null
  /** Whether a newer key seals by now, so that the value is to be sealed anew while its key still is there. */
  isOld(sealed: Uint8Array): Promise<boolean>
}
