import { toBase64url } from "@pkce/protocol"
import { hkdf, hmacKey } from "#crypto"
import { PkceError } from "../errors.js"
import { chain } from "../runtime/awaitable.js"
import type { Awaitable, HmacKey } from "../runtime/crypto.js"
import type { KeyPurpose, KeyRing } from "./types.js"

interface Entry {
  kid: string
  signFrom: number
  secret: Uint8Array
}

const NO_SALT = new Uint8Array()

/**
 * Makes the key ring of the configured secrets, newest first. `signFrom` and `now` are seconds since the epoch; a secret
 * verifies at once and signs from `signFrom` on. Ids are derived (HKDF, RFC 5869, under a label of their own), so they
 * say nothing of the keys and every process finds the same ones.
 *
 * @example
 * ```ts
 * const ring = createKeyRing([{ secret: process.env.PKCE_SECRET, signFrom: 0 }], [])
 * ```
 */
export function createKeyRing(
  secrets: { secret: string; signFrom: number }[],
  retiredKids: string[],
  now: () => number = () => Math.floor(Date.now() / 1000),
): KeyRing {
  const retired = new Set(retiredKids)
  const entries = once(() =>
    all(
      secrets.map(({ secret, signFrom }) => {
        const bytes = new TextEncoder().encode(secret)
        return chain(
          hkdf(bytes, NO_SALT, "pkce/v1/kid", 6),
          (id): Entry => ({ kid: toBase64url(id), signFrom, secret: bytes }),
        )
      }),
    ),
  )
  // A retired secret that is still configured stays dead.
  const living = () => chain(entries(), (list) => list.filter(({ kid }) => !retired.has(kid)))

  const keys = new Map<string, () => Awaitable<Uint8Array>>()
  const hmacKeys = new Map<string, () => Awaitable<HmacKey>>()

  function bytes(kid: string, purpose: KeyPurpose): Awaitable<Uint8Array> {
    const kept = keys.get(`${purpose}/${kid}`)
    if (kept) return kept()
    return chain(living(), (list) => {
      const entry = list.find((candidate) => candidate.kid === kid)
      if (!entry) throw new PkceError("unavailable", { reason: "keyring_missing" })
      const derive = once(() => hkdf(entry.secret, NO_SALT, `pkce/v1/${purpose}`, 32))
      keys.set(`${purpose}/${kid}`, derive)
      return derive()
    })
  }

  return {
    active: (at = now()) =>
      chain(living(), (list) => {
        const entry = list.find(({ signFrom }) => signFrom <= at) ?? list.at(-1)
        if (!entry) throw new PkceError("unavailable", { reason: "keyring_missing" })
        return entry.kid
      }),
    kids: () => chain(living(), (list) => list.map(({ kid }) => kid)),
    state: (kid) =>
      chain(living(), (list) => {
        if (retired.has(kid)) return "retired"
        return list.some((entry) => entry.kid === kid) ? "known" : "unknown"
      }),
    bytes,
    hmac(kid, purpose) {
      const kept = hmacKeys.get(`${purpose}/${kid}`)
      if (kept) return kept()
      return chain(bytes(kid, purpose), (raw) => {
        const derive = once(() => hmacKey(raw))
        hmacKeys.set(`${purpose}/${kid}`, derive)
        return derive()
      })
    },
  }
}

/** Runs once, and forgets the promise when its value is there: from then on the answer is synchronous. */
function once<T extends object>(make: () => Awaitable<T>): () => Awaitable<T> {
  let kept: Awaitable<T> | undefined
  return () => {
    if (kept === undefined) {
      kept = make()
      if (kept instanceof Promise) {
        kept.then(
          (value) => {
            kept = value
          },
          () => {
            kept = undefined
          },
        )
      }
    }
    return kept
  }
}

function all<T>(values: Awaitable<T>[]): Awaitable<T[]> {
  return values.some((value) => value instanceof Promise) ? Promise.all(values) : (values as T[])
}
