import { decrypt, encrypt, equal, hkdf, randomBytes, sha256 } from "#crypto"
import { PkceError } from "../errors.js"
import { concat } from "../runtime/bytes.js"
import { lengthPrefixed } from "./fields.js"
import type { KeyRing, SealContext, Vault } from "./types.js"

const VERSION = 1
const SALT = 16
const COMMITMENT = 16
const NONCE = 12
const TAG = 16
const BLOCK = 256

const utf8 = new TextEncoder()
const text = new TextDecoder("utf-8", { fatal: true })

/**
 * Seals JSON values for the store. A sealed value is
 * `0x01 ‖ length of kid ‖ kid ‖ salt (16) ‖ commitment (16) ‖ nonce (12) ‖ AES-256-GCM ciphertext ‖ tag (16)`.
 *
 * Every seal has a key of its own, HKDF-SHA-256 of the ring's key over a fresh salt, so that no key ever meets the limits
 * of GCM (NIST SP 800-38D). The commitment comes from the same derivation and is compared before anything is decrypted:
 * GCM alone does not bind a ciphertext to one key. The context is bound as additional data, so a value opens only in the
 * row, revision and purpose that it was sealed for.
 *
 * @example
 * ```ts
 * const vault = createVault(ring)
 * const context = { purpose: "profile", issuer, subject, sid, rev: 0 } as const
 * await vault.open(await vault.seal({ name: "Ada" }, context), context)
 * ```
 */
export function createVault(ring: KeyRing): Vault {
  async function keysFor(kid: string, salt: Uint8Array, purpose: SealContext["purpose"]) {
    const okm = await hkdf(await ring.bytes(kid, "seal"), salt, `pkce/v1/seal/${purpose}`, 64)
    return { key: okm.subarray(0, 32), commitment: okm.subarray(32, 32 + COMMITMENT) }
  }

  return {
    async seal(value, context) {
      const kid = await ring.active()
      const salt = randomBytes(SALT)
      const nonce = randomBytes(NONCE)
      const { key, commitment } = await keysFor(kid, salt, context.purpose)
      const sealed = await encrypt(key, nonce, padded(value), await associated(kid, context))
      const id = utf8.encode(kid)
      return concat([Uint8Array.of(VERSION, id.length), id, salt, commitment, nonce, sealed])
    },

    async open(sealed, context) {
      const parts = take(sealed)
      if (!parts) throw unreadable()
      // G6: a key that this process lacks is its own fault; the row must survive it.
      const state = await ring.state(parts.kid)
      if (state === "unknown") throw new PkceError("unavailable", { reason: "keyring_missing" })
      if (state === "retired") throw unreadable()

      const { key, commitment } = await keysFor(parts.kid, parts.salt, context.purpose)
      if (!equal(commitment, parts.commitment)) throw unreadable()
      const plain = await decrypt(key, parts.nonce, parts.ciphertext, await associated(parts.kid, context))
      if (!plain) throw unreadable()
      try {
        return JSON.parse(text.decode(plain)) as unknown
      } catch {
        throw unreadable()
      }
    },
  }
}

const unreadable = () => new PkceError("provider_grant_unreadable")

async function associated(kid: string, context: SealContext): Promise<Uint8Array> {
  const { purpose, issuer, subject, sid, rev } = context
  const tenant = ""
  const hashed = await sha256(utf8.encode(subject))
  return lengthPrefixed("pkce", String(VERSION), kid, purpose, tenant, issuer, hashed, sid, String(rev))
}

/** Spaces behind JSON mean nothing to its parser, so they hide the length without a format of their own. */
function padded(value: unknown): Uint8Array {
  const json = utf8.encode(JSON.stringify(value))
  const plain = new Uint8Array(Math.ceil(json.length / BLOCK) * BLOCK).fill(0x20)
  plain.set(json)
  return plain
}

function take(sealed: Uint8Array) {
  const head = 2 + (sealed[1] ?? 0)
  // G2: every length is fixed or checked here; none is taken from the data further down.
  if (sealed[0] !== VERSION || sealed.length < head + SALT + COMMITMENT + NONCE + TAG + BLOCK) return null
  const from = (start: number, length: number) => sealed.subarray(start, start + length)
  return {
    kid: String.fromCharCode(...from(2, head - 2)),
    salt: from(head, SALT),
    commitment: from(head + SALT, COMMITMENT),
    nonce: from(head + SALT + COMMITMENT, NONCE),
    ciphertext: sealed.subarray(head + SALT + COMMITMENT + NONCE),
  }
}
