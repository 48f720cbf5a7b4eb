import { decrypt, encrypt, equal, hkdf, randomBytes, sha256 } from "#crypto"
import { PkceError } from "../errors.js"
import { lengthPrefixed } from "./fields.js"
import { createSealKeys, type KeyName, type SealKeysOptions } from "./seal-keys.js"
import { BLOCK, COMMITMENT, joinParts, NONCE, SALT, takeParts, versionOf } from "./sealed-value.js"
import type { KeyRing, SealContext, Vault } from "./types.js"

const utf8 = new TextEncoder()
const text = new TextDecoder("utf-8", { fatal: true })

/**
 * Seals JSON values for the store. A sealed value is
 * `version ‖ length of id ‖ id ‖ salt (16) ‖ commitment (16) ‖ nonce (12) ‖ AES-256-GCM ciphertext ‖ tag (16)`.
 *
 * Every seal has a key of its own, HKDF-SHA-256 of the key over a fresh salt, so that no key ever meets the limits of GCM
 * (NIST SP 800-38D). The commitment comes from the same derivation and is compared before anything is decrypted: GCM alone
 * does not bind a ciphertext to one key. The context is bound as additional data, so a value opens only in the row, revision
 * and purpose that it was sealed for.
 *
 * @example
 * ```ts
 * const vault = createVault(ring)
 * const context = { purpose: "profile", issuer, subject, sid, rev: 0 } as const
 * await vault.open(await vault.seal({ name: "Ada" }, context), context)
 * ```
 */
export function createVault(ring: KeyRing, options: SealKeysOptions = {}): Vault {
  const keys = createSealKeys(ring, options)

  return {
    async ready() {
      await keys.current()
    },

    async seal(value, context) {
      const { name, key: master } = await keys.current()
      const random = randomBytes(SALT + NONCE)
      const [salt, nonce] = [random.subarray(0, SALT), random.subarray(SALT)]
      const { key, commitment } = await derive(master, salt, context.purpose)
      const ciphertext = await encrypt(key, nonce, padded(value), await associated(name, context))
      return joinParts({ name, salt, commitment, nonce, ciphertext })
    },

    async open(sealed, context) {
      const parts = takeParts(sealed)
      if (!parts) throw unreadable()
      const master = await keys.find(parts.name)
      if (master === "retired") throw unreadable("key_retired")

      const { key, commitment } = await derive(master, parts.salt, context.purpose)
      if (!equal(commitment, parts.commitment)) throw unreadable()
      const aad = await associated(parts.name, context)
      const plain = await decrypt(key, parts.nonce, parts.ciphertext, aad)
      if (!plain) throw unreadable()
      try {
        return JSON.parse(text.decode(plain)) as unknown
      } catch {
        throw unreadable()
      }
    },

    sealedWith(sealed) {
      const parts = takeParts(sealed)
      return parts && keys.label(parts.name)
    },

    async isOld(sealed) {
      const parts = takeParts(sealed)
      return parts !== null && keys.isOld(parts.name)
    },
  }
}

const unreadable = (reason?: "key_retired") =>
  new PkceError("provider_grant_unreadable", reason === undefined ? {} : { reason })

async function derive(master: Uint8Array, salt: Uint8Array, purpose: SealContext["purpose"]) {
  const okm = await hkdf(master, salt, `pkce/v1/seal/${purpose}`, 64)
  return { key: okm.subarray(0, 32), commitment: okm.subarray(32, 32 + COMMITMENT) }
}

async function associated(name: KeyName, context: SealContext): Promise<Uint8Array> {
  const { purpose, issuer, subject, sid, rev } = context
  const version = String(versionOf(name))
  const tenant = ""
  const hashed = await sha256(subject)
  return lengthPrefixed("pkce", version, name.id, purpose, tenant, issuer, hashed, sid, String(rev))
}

/** Spaces behind JSON mean nothing to its parser, so they hide the length without a format of their own. */
function padded(value: unknown): Uint8Array {
  const bytes = utf8.encode(JSON.stringify(value) + " ".repeat(BLOCK - 1))
  return bytes.subarray(0, bytes.length - (bytes.length % BLOCK))
}
