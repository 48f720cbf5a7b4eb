import { PkceError } from "../errors.js"
import type { Emit } from "../events.js"
import type { Store } from "../stores/contract.js"

/**
 * GR6: a store that fails is our outage: 503, an event, and nobody is logged out for it. Every use of the store goes
 * through here, so that no caller can turn its exception into something else.
 */
export function guardStore(store: Store, emit: Emit): Store {
  const guarded =
    <A extends unknown[], R>(work: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      try {
        return await work(...args)
      } catch (thrown) {
        if (thrown instanceof PkceError) throw thrown
        const error = new PkceError("unavailable", { reason: "store_failed" })
        emit({ type: "store.failed", error_id: error.errorId })
        throw error
      }
    }
  return {
    kind: store.kind,
    create: guarded((session) => store.create(session)),
    advance: guarded((step) => store.advance(step)),
    find: guarded((sid) => store.find(sid)),
    revoke: guarded((sid, reason) => store.revoke(sid, reason)),
    listByUser: guarded((sub) => store.listByUser(sub)),
    revokeByUser: guarded((sub, reason, except) => store.revokeByUser(sub, reason, except)),
    claim: guarded((kind, key, value, ttl) => store.claim(kind, key, value, ttl)),
    settle: guarded((kind, key, expected, value) => store.settle(kind, key, expected, value)),
    release: guarded((kind, key, expected) => store.release(kind, key, expected)),
    take: guarded((kind, key) => store.take(kind, key)),
    sweep: guarded((limit) => store.sweep(limit)),
  }
}
