import { fromBase64url, toBase64url } from "@pkce/protocol"
import { type CryptoKey, calculateJwkThumbprint, exportJWK, importJWK, importPKCS8, type JWK } from "jose"
import { PkceError } from "../errors.js"
import type { KeyRing } from "../vault/types.js"
import { encodeHeader } from "./jwt.js"
import type { Signer } from "./signer.js"

const utf8 = new TextEncoder()

type Algorithm = "EdDSA" | "ES256"

interface Pair {
  kid: string
  privateKey: CryptoKey
  publicKey: CryptoKey
  jwk: { [member: string]: unknown }
}

/** `PrivateKeyInfo` of an Ed25519 seed (RFC 8410 section 7) up to the 32 bytes of the seed. */
const ED25519_PKCS8 = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20]

const PARAMETERS = {
  EdDSA: { name: "Ed25519" },
  ES256: { name: "ECDSA", hash: "SHA-256" },
} as const

/** EdDSA: one Ed25519 key (RFC 8037) for each secret of the ring, its seed derived from the secret. */
export const createEdDsa = (ring: KeyRing): Signer =>
  createSigner(
    "EdDSA",
    async () =>
      Promise.all(
        (await ring.kids()).map(async (kid) => ed25519(kid, await ring.bytes(kid, "session-ed25519"))),
      ),
    (now) => ring.active(now),
  )

/** ES256 under the one key that the team gives: a private P-256 JWK, with `kid` or else its RFC 7638 thumbprint. */
export const createEs256 = (privateKey: JWK): Signer => {
  const pair = memo(async () => p256(privateKey))
  return createSigner(
    "ES256",
    async () => [await pair()],
    async () => (await pair()).kid,
  )
}

function createSigner(alg: Algorithm, load: () => Promise<Pair[]>, active: Signer["active"]): Signer {
  const pairs = memo(async () => new Map((await load()).map((pair) => [pair.kid, pair])))
  const headers = memo(
    async () => new Map([...(await pairs()).keys()].map((kid) => [kid, encodeHeader(alg, kid)])),
  )
  const { subtle } = globalThis.crypto
  const use = PARAMETERS[alg]

  return {
    headers,
    active,
    async sign(kid, input) {
      const pair = (await pairs()).get(kid)
      if (!pair) throw new PkceError("unavailable", { reason: "keyring_missing" })
      return toBase64url(new Uint8Array(await subtle.sign(use, pair.privateKey, utf8.encode(input))))
    },
    // jose throws for a bad signature; WebCrypto says false, which costs a flood of forgeries no stack traces.
    async verify(kid, input, signature) {
      const pair = (await pairs()).get(kid)
      const bytes = fromBase64url(signature)
      if (!pair || !bytes) return false
      return subtle.verify(use, pair.publicKey, bytes as Uint8Array<ArrayBuffer>, utf8.encode(input))
    },
    publicKeys: async () => [...(await pairs()).values()].map(({ jwk }) => jwk),
  }
}

async function ed25519(kid: string, seed: Uint8Array): Promise<Pair> {
  const der = btoa(String.fromCharCode(...ED25519_PKCS8, ...seed))
  const pem = `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----`
  const privateKey = await importPKCS8(pem, "EdDSA", { extractable: true })
  const { kty, crv, x } = await exportJWK(privateKey)
  return paired("EdDSA", kid, privateKey, { kty, crv, x } as JWK)
}

async function p256(given: JWK): Promise<Pair> {
  const { kty, crv, x, y } = given
  const open = { kty, crv, x, y } as JWK
  const privateKey = (await importJWK(given, "ES256")) as CryptoKey
  return paired("ES256", given.kid ?? (await calculateJwkThumbprint(open)), privateKey, open)
}

async function paired(alg: Algorithm, kid: string, privateKey: CryptoKey, open: JWK): Promise<Pair> {
  const publicKey = (await importJWK(open, alg)) as CryptoKey
  return { kid, privateKey, publicKey, jwk: { ...open, kid, alg, use: "sig" } }
}

/** Loads once; a failure is not kept. */
function memo<T>(load: () => Promise<T>): () => Promise<T> {
  let kept: Promise<T> | undefined
  return () => {
    kept ??= load().catch((error: unknown) => {
      kept = undefined
      throw error
    })
    return kept
  }
}
