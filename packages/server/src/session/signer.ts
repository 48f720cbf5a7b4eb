import type { Awaitable } from "../runtime/crypto.js"

/** One signature algorithm under one or more keys. The header of a token says which; there is one header per key. */
export interface Signer {
  /** Headers of all keys that verify, encoded, by the id of the key. */
  headers(): Awaitable<ReadonlyMap<string, string>>
  /** The key that signs at `now`, seconds. */
  active(now: number): Awaitable<string>
  sign(kid: string, data: Uint8Array): Awaitable<Uint8Array>
  verify(kid: string, data: Uint8Array, signature: Uint8Array): Awaitable<boolean>
  /** Public keys (RFC 7517 section 5); empty where there are none. */
  publicKeys(): Awaitable<{ [member: string]: unknown }[]>
}
