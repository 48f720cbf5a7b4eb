import type { Emit } from "../events.js"
import type { Algorithm } from "./algorithms.js"
import type { DocumentLoader } from "./documents.js"
import { failed, refused } from "./failures.js"
import { type KeySet, readKeySet, type Selection, selectKey } from "./key-set.js"
import { createRefetchBudget } from "./refetch-budget.js"
import type { JsonObject } from "./strict-json.js"

const MAX_BYTES = 256 * 1024
const MAX_AGE = 600
const MAX_STALE = 86_400

export interface KeySource {
  /** Loads the keys where none are held or they are ten minutes old. Throws `ProviderError`, never spent. */
  ready(): Promise<void>
  /** The key of a token's header. Throws `ProviderError`: `login_failed` for a key that the provider does not have. */
  find(alg: string, kind: Algorithm, kid: string | undefined): Promise<CryptoKey>
}

/** The keys of one issuer at one `jwks_uri`. D8: never shared with another pair, and always replaced as a whole. */
export function createKeySource(
  uri: string,
  documents: DocumentLoader,
  emit: Emit,
  provider: string,
  now: () => number,
): KeySource {
  const mayRefetch = createRefetchBudget(now)
  let held: KeySet | undefined
  let loadedAt = 0
  let loading: Promise<KeySet> | undefined

  async function load(): Promise<KeySet> {
    const set = await documents.load(uri, MAX_BYTES, usable)
    if (set.refused > 0) emit({ type: "idp.jwks.key_refused", provider, count: set.refused })
    held = set
    loadedAt = now()
    return set
  }

  function fetchOnce(): Promise<KeySet> {
    loading ??= load().finally(() => {
      loading = undefined
    })
    return loading
  }

  async function current(): Promise<KeySet> {
    const age = now() - loadedAt
    if (held && age >= 0 && age < MAX_AGE) return held
    const old = held && age < MAX_STALE ? held : undefined
    try {
      return await fetchOnce()
    } catch (error) {
      // Keys that were good within a day outlive an outage; a key id that they lack stays unknown.
      if (old) return old
      throw error
    }
  }

  async function search(alg: string, kind: Algorithm, kid: string | undefined): Promise<Selection> {
    const found = selectKey(await current(), alg, kind, kid)
    if (found !== "unknown") return found
    // A load that is under way may have begun before the rotation: its answer counts, its lack does not.
    if (loading) {
      const joined = selectKey(await loading, alg, kind, kid)
      if (joined !== "unknown") return joined
    }
    if (!loading && !mayRefetch()) return "unknown"
    return selectKey(await fetchOnce(), alg, kind, kid)
  }

  return {
    async ready() {
      await current()
    },
    async find(alg, kind, kid) {
      const key = await search(alg, kind, kid)
      if (key === "unknown") throw refused("id_token_key_unknown")
      if (key === "ambiguous") throw refused("id_token_key_ambiguous")
      return key.import(alg).catch(() => {
        throw refused("id_token_key_unknown")
      })
    },
  }
}

/** D7: a set without a usable key counts as an outage, and leaves the old one standing. */
function usable(document: JsonObject): KeySet {
  const set = readKeySet(document)
  if (!set) throw failed("idp_unavailable", "no_usable_keys", false)
  return set
}
