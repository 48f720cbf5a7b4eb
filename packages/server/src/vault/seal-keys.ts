import { PkceError } from "../errors.js"
import type { Emit } from "../events.js"
import type { KeyProvider } from "../key-provider.js"
import { createKeyCache } from "./key-cache.js"
import type { KeyRing } from "./types.js"

/**
 * Which key sealed a value. The source is part of the name, in the sealed value too: an id of the key provider is never
 * looked for among `secrets`, nor the other way round, whatever the ids look like (G7).
 */
export interface KeyName {
  source: "secrets" | "provider"
  id: string
}

/** The keys that seal and open: those of `secrets`, and those of the key provider where there is one. */
export interface SealKeys {
  /** The key that seals now. Throws `PkceError("unavailable")`. */
  current(): Promise<{ name: KeyName; key: Uint8Array }>
  /** 32 bytes. Throws `PkceError("unavailable")` where the key cannot be had: with an event, and it may be there later. */
  find(name: KeyName): Promise<Uint8Array | "retired">
  /** Whether what is under this key is to be sealed anew. What a later key sealed, at a process that is ahead, is not. */
  isOld(name: KeyName): Promise<boolean>
  /** The name by which values are counted. No id of `secrets` has a colon. */
  label(name: KeyName): string
}

export interface SealKeysOptions {
  keyProvider?: KeyProvider | null
  emit?: Emit
}

export function createSealKeys(ring: KeyRing, options: SealKeysOptions = {}): SealKeys {
  const { keyProvider, emit = () => undefined } = options
  const provided = keyProvider ? createKeyCache(keyProvider, emit) : null

  const label = ({ source, id }: KeyName) =>
    source === "secrets" ? id : `key-provider:${provided?.wrappedBy(id) ?? id}`

  // G6: a key that this process lacks is its own fault; the row must survive it.
  function missing(name: KeyName): PkceError {
    const error = new PkceError("unavailable", { reason: "keyring_missing", retryAfter: 1 })
    emit({ type: "keyring.missing", kid: label(name), error_id: error.errorId })
    return error
  }

  async function current(): Promise<{ name: KeyName; key: Uint8Array }> {
    const given = provided && (await provided.current())
    if (given) return { name: { source: "provider", id: given.id }, key: given.key }
    const id = await ring.active()
    return { name: { source: "secrets", id }, key: await ring.bytes(id, "seal") }
  }

  return {
    current,
    label,

    async find(name) {
      if (name.source === "provider") {
        const found = provided ? await provided.find(name.id) : "unknown"
        if (found === "unknown") throw missing(name)
        return found
      }
      const state = await ring.state(name.id)
      if (state === "unknown") throw missing(name)
      return state === "retired" ? state : ring.bytes(name.id, "seal")
    },

    async isOld(name) {
      const { name: now } = await current()
      if (name.source !== now.source) return true
      if (name.source === "provider") return label(name) !== label(now)
      const kids = await ring.kids()
      const place = kids.indexOf(name.id)
      return place < 0 || place > kids.indexOf(now.id)
    },
  }
}
