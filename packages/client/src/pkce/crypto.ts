import { toBase64url } from "@pkce/protocol"
import { PkceError } from "../errors.js"
import type { CryptoPort } from "../platforms/ports.js"

/**
 * WebCrypto as a port, for a platform of your own. It is looked for when it is needed, so that a server which only renders the
 * page need not have it.
 *
 * @example
 * ```ts
 * const platform: Platform = { name: "kiosk", crypto: webCrypto, browser, storage }
 * ```
 */
export const webCrypto: CryptoPort = {
  // Nothing without `subtle`, which pages have in secure contexts only: so that no window opens for a login in vain.
  randomBytes: (length) =>
    globalThis.crypto.subtle && globalThis.crypto.getRandomValues(new Uint8Array(length)),
  sha256: async (data) =>
    new Uint8Array(await globalThis.crypto.subtle.digest("SHA-256", data as Uint8Array<ArrayBuffer>)),
}

const unavailable = () => new PkceError("crypto_unavailable", "start")

/** A1: a source that throws, or gives less than was asked for, is none; and there is no other to fall back to. */
export function randomBytes(crypto: CryptoPort, length: number): Uint8Array {
  try {
    const bytes = crypto.randomBytes(length)
    if (bytes.length === length) return bytes
  } catch {}
  throw unavailable()
}

/** 256 random bits as 43 characters: a verifier, a state or a nonce, each its own draw. */
export const randomText = (crypto: CryptoPort): string => toBase64url(randomBytes(crypto, 32))

/** The S256 transformation (RFC 7636 section 4.2) of an ASCII text. A1, as above. */
export async function s256(crypto: CryptoPort, text: string): Promise<string> {
  try {
    const hash = await crypto.sha256(Uint8Array.from(text, (letter) => letter.charCodeAt(0)))
    if (hash.length === 32) return toBase64url(hash)
  } catch {}
  throw unavailable()
}
