import type { Emit } from "../events.js"
import type { Algorithm } from "./algorithms.js"
import type { DocumentLoader } from "./documents.js"
import { failed } from "./failures.js"
import { type KeySet, readKeySet, type Selection, selectKey } from "./key-set.js"
import { createRefetchBudget } from "./refetch-budget.js"
import type { JsonObject } from "./strict-json.js"

const MAX_BYTES = 256 * 1024
const MAX_AGE = 600
const MAX_STALE = 86_400

/** Why there is no key: the provider has none, or several; or it has none as far as we know and may not ask now. */
export type KeyFlaw = "key_unknown" | "key_ambiguous" | "key_not_sought"

export interface KeyFinder {
  /** The key of a token's header. Throws `ProviderError`, never spent, where the keys cannot be had. */
  find(alg: string, kind: Algorithm, kid: string | undefined): Promise<CryptoKey | KeyFlaw>
}

export interface KeySource extends KeyFinder {
  /** Loads the keys where none are held or they are ten minutes old. Throws `ProviderError`, never spent. */
  ready(): Promise<void>
  /**
   * For tokens that anybody may send us. D5: they have a budget of their own, so that a stranger with made-up key ids
   * cannot use up that of the logins, which after a key rotation would then fail.
   */
  forStrangers: KeyFinder
}

/** The keys of one issuer at one `jwks_uri`. D8: never shared with another pair, and always replaced as a whole. */
export function createKeySource(
  uri: string,
  documents: DocumentLoader,
  emit: Emit,
  provider: string,
  now: () => number,
): KeySource {
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
    if (documents.endsWithRequest) return load()
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

  async function search(
    alg: string,
    kind: Algorithm,
    kid: string | undefined,
    mayRefetch: () => boolean,
  ): Promise<Selection | "key_not_sought"> {
    const found = selectKey(await current(), alg, kind, kid)
    if (found !== "key_unknown") return found
    // A load that is under way may have begun before the rotation: its answer counts, its lack does not.
    if (loading) {
      const joined = selectKey(await loading, alg, kind, kid)
      if (joined !== "key_unknown") return joined
    }
    if (!loading && !mayRefetch()) return "key_not_sought"
    return selectKey(await fetchOnce(), alg, kind, kid)
  }

  function finder(): KeyFinder {
    const mayRefetch = createRefetchBudget(now)
    return {
      async find(alg, kind, kid) {
        const key = await search(alg, kind, kid, mayRefetch)
        return typeof key === "string" ? key : key.import(alg).catch(() => "key_unknown" as const)
      },
    }
  }

  return {
    ...finder(),
    forStrangers: finder(),
    async ready() {
      await current()
    },
  }
}

/** D7: a set without a usable key counts as an outage, and leaves the old one standing. */
function usable(document: JsonObject): KeySet {
  const set = readKeySet(document)
  if (!set) throw failed("idp_unavailable", "no_usable_keys", false)
  return set
}
