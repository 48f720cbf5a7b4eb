import type { Awaitable } from "../runtime/crypto.js"

/** One signature algorithm under one or more keys. The header of a token says which; there is one header per key. */
export interface Signer {
  /** Headers of all keys that verify, encoded, by the id of the key. */
  headers(): Awaitable<ReadonlyMap<string, string>>
  /** The key that signs at `now`, seconds. */
  active(now: number): Awaitable<string>
  /** The signature over a text's UTF-8, in base64url. */
  sign(kid: string, input: string): Awaitable<string>
  /** Whether `signature` is one, in its only spelling. */
  verify(kid: string, input: string, signature: string): Awaitable<boolean>
  /** Public keys (RFC 7517 section 5); empty where there are none. */
  publicKeys(): Awaitable<{ [member: string]: unknown }[]>
}
