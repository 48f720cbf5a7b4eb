import type { Awaitable } from "../runtime/crypto.js"

/** One signature algorithm under one or more keys. The header of a token says which; there is one header per key. */
export interface Signer {
  /** Headers of all keys that verify, encoded, by the id of the key. */
  headers(): Awaitable<ReadonlyMap<string, string>>
  /** The key that signs at `now`, seconds. */
  active(now: number): Awaitable<string>
  /** Header and payload as they stand in the token, a dot between them. */
  sign(kid: string, signingInput: string): Awaitable<Uint8Array>
  verify(kid: string, signingInput: string, signature: Uint8Array): Awaitable<boolean>
  /** Public keys (RFC 7517 section 5); empty where there are none. */
  publicKeys(): Awaitable<{ [member: string]: unknown }[]>
}
