import type { CryptoPort } from "../platforms/ports.js"
import { randomText, s256, webCrypto } from "./crypto.js"

/** A PKCE verifier and its challenge (RFC 7636). */
export interface PkcePair {
  /** 43 characters, 256 random bits. It leaves the app only for its own backend. */
  verifier: string
  challenge: string
  method: "S256"
}

/**
 * Draws a verifier and makes its S256 challenge (RFC 7636 sections 4.1 and 4.2). There is no `plain`.
 *
 * @param crypto a source of randomness and SHA-256; WebCrypto by default.
 * @throws PkceError `crypto_unavailable` where there is no secure source of randomness.
 * @example
 * ```ts
 * const { verifier, challenge } = await createPkcePair()
 * ```
 */
export const createPkcePair = (crypto: CryptoPort = webCrypto): Promise<PkcePair> => drawPair(crypto)

/** The same, for who has a source: an app whose platform is not WebCrypto does not carry it. */
export async function drawPair(crypto: CryptoPort): Promise<PkcePair> {
  const verifier = randomText(crypto)
  return { verifier, challenge: await s256(crypto, verifier), method: "S256" }
}
