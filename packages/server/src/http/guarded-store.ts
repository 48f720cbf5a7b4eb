import { PkceError } from "../errors.js"
import type { Emit } from "../events.js"
import type { Store } from "../stores/contract.js"

/** Milliseconds for one call of the store (G9): with what is done besides, an answer comes within two seconds. */
const DEADLINE = 1_800

/**
 * GR6: a store that fails, or does not answer, is our outage: 503, an event, and nobody is logged out for it. Every use of
 * the store goes through here, so that no caller can turn its exception into something else. What a call does after its
 * deadline is what a lost answer does: the client's repeat finds it done.
 */
export function guardStore(store: Store, emit: Emit): Store {
  const guarded =
    <A extends unknown[], R>(work: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      let timer: ReturnType<typeof setTimeout> | undefined
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error("the store does not answer")), DEADLINE)
      })
      try {
        return await Promise.race([work(...args), late])
      } catch (thrown) {
        if (thrown instanceof PkceError) throw thrown
        const error = new PkceError("unavailable", { reason: "store_failed" })
        emit({ type: "store.failed", error_id: error.errorId })
        throw error
      } finally {
        clearTimeout(timer)
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
    revokeByProviderSession: guarded((iss, sid, reason) => store.revokeByProviderSession(iss, sid, reason)),
    leaseGrant: guarded((sid, lease) => store.leaseGrant(sid, lease)),
    sealGrant: guarded((seal) => store.sealGrant(seal)),
    due: guarded((within, limit) => store.due(within, limit)),
    scan: guarded((from, limit) => store.scan(from, limit)),
    claim: guarded((kind, key, value, ttl) => store.claim(kind, key, value, ttl)),
    peek: guarded((kind, key) => store.peek(kind, key)),
    settle: guarded((kind, key, expected, value) => store.settle(kind, key, expected, value)),
    release: guarded((kind, key, expected) => store.release(kind, key, expected)),
    take: guarded((kind, key) => store.take(kind, key)),
    sweep: guarded((limit) => store.sweep(limit)),
  }
}
