import { concat } from "../runtime/bytes.js"
import type { KeyName } from "./seal-keys.js"

export const SALT = 16
export const COMMITMENT = 16
export const NONCE = 12
/** The plaintext is padded to a multiple of it. */
export const BLOCK = 256
const TAG = 16

/**
 * The first byte says whose key it is, and how many bytes the length of the id behind it has: 0x01 one of `secrets`, one
 * byte; 0x02 one of the key provider, two bytes, big-endian.
 */
const FORMATS = [
  { version: 1, source: "secrets", lengthBytes: 1 },
  { version: 2, source: "provider", lengthBytes: 2 },
] as const

export interface SealedParts {
  name: KeyName
  salt: Uint8Array
  commitment: Uint8Array
  nonce: Uint8Array
  /** With the tag. */
  ciphertext: Uint8Array
}

export const versionOf = ({ source }: KeyName): 1 | 2 => (source === "secrets" ? 1 : 2)

/** The sealed value: `version ‖ length of id ‖ id ‖ salt (16) ‖ commitment (16) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`. */
export function joinParts({ name, salt, commitment, nonce, ciphertext }: SealedParts): Uint8Array {
  const id = new TextEncoder().encode(name.id)
  const version = versionOf(name)
  const { length } = id
  const head = version === 1 ? Uint8Array.of(1, length) : Uint8Array.of(2, length >> 8, length & 0xff)
  return concat([head, id, salt, commitment, nonce, ciphertext])
}

/** The parts, or `null` for what no seal can be. */
export function takeParts(sealed: Uint8Array): SealedParts | null {
  const format = FORMATS.find(({ version }) => version === sealed[0])
  if (!format) return null
  const start = 1 + format.lengthBytes
  const idLength = sealed.subarray(1, start).reduce((length, byte) => length * 256 + byte, 0)
  const head = start + idLength
  // G2: every length is fixed or checked here; none is taken from the data further down.
  if (sealed.length < head + SALT + COMMITMENT + NONCE + BLOCK + TAG) return null
  const bytes = sealed.subarray(start, head)
  // It goes into events: whoever can write to the store must not be able to write lines into a log.
  if (bytes.length > 1024 || bytes.some((byte) => byte < 0x21 || byte > 0x7e)) return null
  const from = (at: number, length: number) => sealed.subarray(head + at, head + at + length)
  return {
    name: { source: format.source, id: String.fromCharCode(...bytes) },
    salt: from(0, SALT),
    commitment: from(SALT, COMMITMENT),
    nonce: from(SALT + COMMITMENT, NONCE),
    ciphertext: sealed.subarray(head + SALT + COMMITMENT + NONCE),
  }
}
