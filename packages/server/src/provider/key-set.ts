import { fromBase64url } from "@pkce/protocol"
import { importJWK, type JWK } from "jose"
import type { Algorithm } from "./algorithms.js"
import { isObject, type JsonObject } from "./strict-json.js"

const MAX_KEYS = 100
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"]

interface PublicKey {
  kid: string | undefined
  alg: string | undefined
  kty: string
  crv: string | undefined
  import(alg: string): Promise<CryptoKey>
}

export interface KeySet {
  keys: readonly PublicKey[]
  /** Entries that no honest provider publishes. */
  refused: number
}

export type Selection = PublicKey | "key_unknown" | "key_ambiguous"

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

/**
 * The usable signature keys of a JWKS document, or `null` where there is none to be had. D7: secrets, private keys,
 * weak or malformed ones are counted and skipped; keys for another use are skipped.
 */
export function readKeySet(document: JsonObject): KeySet | null {
  const { keys: entries } = document
  if (!Array.isArray(entries) || entries.length > MAX_KEYS) return null
  const keys: PublicKey[] = []
  let refused = 0
  for (const entry of entries) {
    if (isObject(entry) && !isForVerifying(entry)) continue
    const key = isObject(entry) ? readKey(entry) : null
    if (key) keys.push(key)
    else refused++
  }
  return keys.length > 0 ? { keys, refused } : null
}

function isForVerifying({ use, key_ops: operations }: JsonObject): boolean {
  if (use !== undefined && use !== "sig") return false
  return operations === undefined || (Array.isArray(operations) && operations.includes("verify"))
}

function readKey(entry: JsonObject): PublicKey | null {
  const { kty, crv } = entry
  if (PRIVATE_MEMBERS.some((member) => Object.hasOwn(entry, member))) return null
  const material = publicMembers(entry)
  if (!material || typeof kty !== "string") return null
  const imported = new Map<string, Promise<CryptoKey>>()
  return {
    kid: text(entry.kid),
    alg: text(entry.alg),
    kty,
    crv: text(crv),
    import(alg) {
      let key = imported.get(alg)
      if (!key) {
        key = importJWK(material, alg, { extractable: false }) as Promise<CryptoKey>
        imported.set(alg, key)
      }
      return key
    },
  }
}

/** The members that make the key, and nothing beside them: `x5c`, `x5u` and the like are never looked at (E5). */
function publicMembers({ kty, crv, n, e, x, y }: JsonObject): JWK | null {
  if (kty === "RSA" && typeof n === "string" && typeof e === "string") {
    const exponent = fromBase64url(e)
    const bits = bitLength(fromBase64url(n))
    const odd = ((exponent?.at(-1) ?? 0) & 1) === 1
    const size = bitLength(exponent)
    return bits >= 2048 && bits <= 8192 && odd && size >= 2 && size <= 64 ? { kty, n, e } : null
  }
  if (kty === "EC" && typeof crv === "string" && typeof x === "string" && typeof y === "string")
    return /^P-(256|384|521)$/.test(crv) ? { kty, crv, x, y } : null
  if (kty === "OKP" && crv === "Ed25519" && typeof x === "string") return { kty, crv, x }
  return null
}

function bitLength(bytes: Uint8Array | null): number {
  if (!bytes) return 0
  const first = bytes.findIndex((byte) => byte !== 0)
  if (first < 0) return 0
  return (bytes.length - first) * 8 - Math.clz32(bytes[first] ?? 0) + 24
}

/**
 * D6: the one key that fits. A `kid` names exactly one key of the right type or none; without a `kid` there must be
 * only one that fits. Never the first, the last, or another one.
 */
export function selectKey(set: KeySet, alg: string, kind: Algorithm, kid: string | undefined): Selection {
  const fitting = set.keys.filter(
    (key) =>
      key.kty === kind.kty &&
      (kind.crv === undefined || key.crv === kind.crv) &&
      (key.alg === undefined || key.alg === alg) &&
      (kid === undefined || key.kid === kid),
  )
  const [only] = fitting
  if (!only) return "key_unknown"
  return fitting.length === 1 ? only : "key_ambiguous"
}
