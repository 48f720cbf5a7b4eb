import { toBase64url } from "@pkce/protocol"
import type { HmacKey, RuntimeCrypto } from "./crypto.js"

const TAG_LENGTH = 16
const { subtle } = globalThis.crypto
const utf8 = new TextEncoder()

// TypeScript tells views of shared memory apart, which WebCrypto refuses; ours never are.
const buffer = (bytes: Uint8Array) => bytes as Uint8Array<ArrayBuffer>

const bytesOf = (data: Uint8Array | string) => buffer(typeof data === "string" ? utf8.encode(data) : data)

export const randomBytes = (length: number): Uint8Array =>
  globalThis.crypto.getRandomValues(new Uint8Array(length))

export const sha256 = async (data: Uint8Array | string): Promise<Uint8Array> =>
  new Uint8Array(await subtle.digest("SHA-256", bytesOf(data)))

export const s256 = async (data: Uint8Array | string): Promise<string> => toBase64url(await sha256(data))

export const digestKey = async (text: string): Promise<string> => String.fromCharCode(...(await sha256(text)))

export const hmacKey = async (raw: Uint8Array): Promise<HmacKey> =>
  (await subtle.importKey("raw", buffer(raw), { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ])) as unknown as HmacKey

export const hmac = async (key: HmacKey, data: Uint8Array | string): Promise<Uint8Array> =>
  new Uint8Array(await subtle.sign("HMAC", key as unknown as CryptoKey, bytesOf(data)))

export const hmacText = async (key: HmacKey, data: Uint8Array | string): Promise<string> =>
  toBase64url(await hmac(key, data))

export async function hkdf(
  secret: Uint8Array,
  salt: Uint8Array,
  info: string,
  length: number,
): Promise<Uint8Array> {
  const key = await subtle.importKey("raw", buffer(secret), "HKDF", false, ["deriveBits"])
  const parameters = {
    name: "HKDF",
    hash: "SHA-256",
    salt: buffer(salt),
    info: bytesOf(info),
  }
  return new Uint8Array(await subtle.deriveBits(parameters, key, length * 8))
}

const aesKey = (raw: Uint8Array, use: "encrypt" | "decrypt") =>
  subtle.importKey("raw", buffer(raw), "AES-GCM", false, [use])

const gcm = (nonce: Uint8Array, aad: Uint8Array) => ({
  name: "AES-GCM",
  iv: buffer(nonce),
  additionalData: buffer(aad),
  tagLength: TAG_LENGTH * 8,
})

export async function encrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  aad: Uint8Array,
): Promise<Uint8Array> {
  return new Uint8Array(
    await subtle.encrypt(gcm(nonce, aad), await aesKey(key, "encrypt"), buffer(plaintext)),
  )
}

export async function decrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  aad: Uint8Array,
): Promise<Uint8Array | null> {
  if (sealed.length < TAG_LENGTH) return null
  const aes = await aesKey(key, "decrypt")
  try {
    return new Uint8Array(await subtle.decrypt(gcm(nonce, aad), aes, buffer(sealed)))
  } catch {
    return null
  }
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number)
  return difference === 0
}

export const sameText = (a: string, b: string): boolean => equal(utf8.encode(a), utf8.encode(b))

// Fails to compile when this module and its twin drift apart.
;({
  randomBytes,
  sha256,
  s256,
  digestKey,
  hmacKey,
  hmac,
  hmacText,
  hkdf,
  encrypt,
  decrypt,
  equal,
  sameText,
}) satisfies RuntimeCrypto
