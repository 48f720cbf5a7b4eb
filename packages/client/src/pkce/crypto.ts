import { toBase64url } from "@pkce/protocol"
import { PkceError } from "../errors.js"
import type { CryptoPort } from "../platforms/ports.js"

const unavailable = () => new PkceError("crypto_unavailable", "start")

// Looked for when it is needed, so that a server which only renders the page need not have it.
function engine(): Crypto {
  const crypto = globalThis.crypto as Crypto | undefined
  // A1: there is no other source of randomness to fall back to.
  if (!crypto?.getRandomValues || !crypto.subtle) throw unavailable()
  return crypto
}

/** WebCrypto as a port. */
export const webCrypto: CryptoPort = {
  randomBytes: (length) => engine().getRandomValues(new Uint8Array(length)),
  sha256: async (data) =>
    new Uint8Array(await engine().subtle.digest("SHA-256", data as Uint8Array<ArrayBuffer>)),
}

/** 256 random bits as 43 characters: a verifier, a state or a nonce, each its own draw. */
export function randomText(crypto: CryptoPort): string {
  const bytes = crypto.randomBytes(32)
  if (bytes.length !== 32) throw unavailable()
  return toBase64url(bytes)
}
