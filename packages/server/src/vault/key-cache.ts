import { PkceError } from "../errors.js"
import type { Emit } from "../events.js"
import type { KeyProvider } from "../key-provider.js"

export interface ProvidedKey {
  id: string
  key: Uint8Array
}

/** What a team's {@link KeyProvider} answers, checked, kept, and waited for no longer than its deadline. */
export interface KeyCache {
  current(): Promise<ProvidedKey | null>
  find(id: string): Promise<Uint8Array | "unknown" | "retired">
  wrappedBy(id: string): string
}

/** Milliseconds for one answer: with what is done besides, a request is answered within two seconds. */
const DEADLINE = 1_800
/** Keys that are kept; the one that was not used for longest goes first. */
const KEPT = 1_000
/** Milliseconds after which the key that seals is asked for again; for which it serves while that fails; between attempts. */
const FRESH = 3_600_000
const STALE = 86_400_000
const RETRY = 10_000

const KEY_LENGTH = 32
const KEY_ID = /^[\x21-\x7e]{1,1024}$/

/** `now` gives milliseconds of a clock that does not jump (R20). */
export function createKeyCache(
  provider: KeyProvider,
  emit: Emit,
  now: () => number = () => performance.now(),
): KeyCache {
  const keys = new Map<string, Uint8Array>()
  const finding = new Map<string, Promise<Uint8Array | "unknown" | "retired">>()
  let sealing: { answer: ProvidedKey | null; at: number } | undefined
  let asking: Promise<ProvidedKey | null> | undefined
  let askAgainAt = 0

  function keep(id: string, key: Uint8Array): void {
    keys.delete(id)
    keys.set(id, key)
    const [oldest] = keys.keys()
    if (keys.size > KEPT && oldest !== undefined) keys.delete(oldest)
  }

  /** One event for each call that failed, however many wait for it. */
  async function guarded<T>(ask: () => Promise<unknown>, read: (answer: unknown) => T): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("the key provider does not answer")), DEADLINE)
    })
    try {
      return read(await Promise.race([ask(), late]))
    } catch {
      // GR2: what it threw may quote anything, and goes nowhere.
      const error = new PkceError("unavailable", { reason: "key_provider_failed" })
      emit({ type: "keyring.failed", error_id: error.errorId })
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  function ask(): Promise<ProvidedKey | null> {
    askAgainAt = now() + RETRY
    asking ??= guarded(async () => provider.current(), readProvided)
      .then((answer) => {
        if (answer) keep(answer.id, answer.key)
        sealing = { answer, at: now() }
        askAgainAt = now() + FRESH
        return answer
      })
      .finally(() => {
        asking = undefined
      })
    return asking
  }

  return {
    async current() {
      if (!sealing || now() - sealing.at >= STALE) return ask()
      // Behind the caller's back: an outage of the KMS must not stop what a key at hand can do.
      if (now() >= askAgainAt) ask().catch(() => undefined)
      return sealing.answer
    },

    async find(id) {
      const kept = keys.get(id)
      if (kept) {
        keep(id, kept)
        return kept
      }
      const known = finding.get(id)
      if (known) return known
      const flight = guarded(async () => provider.find(id), readFound)
        .then((found) => {
          if (typeof found !== "string") keep(id, found)
          return found
        })
        .finally(() => finding.delete(id))
      finding.set(id, flight)
      return flight
    },

    wrappedBy(id) {
      try {
        const name: unknown = provider.wrappedBy?.(id) ?? id
        return typeof name === "string" && KEY_ID.test(name) ? name : id
      } catch {
        return id
      }
    },
  }
}

function readProvided(answer: unknown): ProvidedKey | null {
  if (answer === null) return null
  const { id, key } = answer as Partial<Record<keyof ProvidedKey, unknown>>
  if (typeof id !== "string" || !KEY_ID.test(id)) throw new Error("not an id")
  return { id, key: readKey(key) }
}

const readFound = (answer: unknown) =>
  answer === "unknown" || answer === "retired" ? answer : readKey(answer)

/** A copy: whoever gave it may wipe its own. */
function readKey(key: unknown): Uint8Array {
  if (!(key instanceof Uint8Array) || key.length !== KEY_LENGTH) throw new Error("not a key")
  return new Uint8Array(key)
}
