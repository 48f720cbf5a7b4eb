/** Synchronous on Node (node:crypto), a promise where only WebCrypto is there. Callers always `await`. */
export type Awaitable<T> = T | Promise<T>

declare const opaque: unique symbol
/** A key for {@link RuntimeCrypto.hmac}: imported once, never readable again. */
export interface HmacKey {
  readonly [opaque]: "hmac"
}

/** What `#crypto` exports, the same bytes on every runtime. `crypto.node.ts` and `crypto.web.ts` implement it. */
export interface RuntimeCrypto {
  randomBytes(length: number): Uint8Array
  /** Of a text it is that of its UTF-8, here and below. */
  sha256(data: Uint8Array | string): Awaitable<Uint8Array>
  /** SHA-256 in base64url, which of a text is the S256 transformation of RFC 7636 section 4.2. */
  s256(data: Uint8Array | string): Awaitable<string>
  /** SHA-256, each byte one character: the cheapest key of a map that must hold no secret. */
  digestKey(text: string): Awaitable<string>
  hmacKey(raw: Uint8Array): Awaitable<HmacKey>
  /** HMAC-SHA-256, 32 bytes. */
  hmac(key: HmacKey, data: Uint8Array | string): Awaitable<Uint8Array>
  /** The same, in base64url. */
  hmacText(key: HmacKey, data: Uint8Array | string): Awaitable<string>
  /** HKDF-SHA-256 (RFC 5869). */
  hkdf(secret: Uint8Array, salt: Uint8Array, info: string, length: number): Awaitable<Uint8Array>
  /** AES-256-GCM; the answer is ciphertext then the 16-byte tag. */
  encrypt(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Awaitable<Uint8Array>
  /** The plaintext, or `null` for anything that this key did not seal with this nonce and this `aad`. */
  decrypt(
    key: Uint8Array,
    nonce: Uint8Array,
    sealed: Uint8Array,
    aad: Uint8Array,
  ): Awaitable<Uint8Array | null>
  /** Constant-time for equal lengths. */
  equal(a: Uint8Array, b: Uint8Array): boolean
  /** {@link RuntimeCrypto.equal} of the texts' UTF-8. */
  sameText(a: string, b: string): boolean
}
