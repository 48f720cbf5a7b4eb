import { equal } from "#crypto"
import type { GrantState, SealGrant, SessionRow, Store } from "../stores/contract.js"

/** What was sealed anew: the grant for the next revision. */
export type Anew = Pick<SealGrant, "profile" | "grant">

/** Seconds of the lease under which a row is written: many times what that takes. */
const LEASE = 10
/** Seconds for which a process may still save what it was issued before its lease ended. */
const PATIENCE = 900

/** A refresh was begun, and whoever began it may still come and save what it was issued. */
const isBegun = (state: GrantState) => state === "uncertain" || state === "retried"
/** Nobody can lease a grant any more that has come to its end. */
const isOver = (state: GrantState) => state === "lost" || state === "revoked"

/** R14: a new revision would refuse the tokens of a holder that is late, and they are the only good ones there are. */
export const inUse = ({ grantState, leaseExpiresAt }: SessionRow, now: number): boolean =>
  now < leaseExpiresAt + (isBegun(grantState) ? PATIENCE : 0)

/**
 * Puts what was sealed anew into the row that it was read from; the state and the due time stay. False where the row has
 * changed since, or somebody holds it: it is left as it is.
 *
 * Under a lease of its own: without one, the outcome of a refresh that began and ended since the row was read would be
 * overwritten with the state from before it. A process that dies in between leaves the grant `uncertain`, with its tokens.
 */
export async function saveAnew(store: Store, row: SessionRow, now: number, anew: Anew): Promise<boolean> {
  const { sid, grantRev: rev } = row
  async function save(from: SessionRow, at: number, state: GrantState, values: Anew): Promise<boolean> {
    const dueSeconds = from.grantDueAt === null ? null : Math.max(0, from.grantDueAt - at)
    const result = await store.sealGrant({ sid, rev, lease: from.leaseNumber, state, dueSeconds, ...values })
    return result.outcome === "sealed"
  }

  if (row.grant === null || isOver(row.grantState)) return save(row, now, row.grantState, anew)

  const began = performance.now()
  const lease = await store.leaseGrant(sid, { rev, seconds: LEASE })
  if (lease.outcome !== "leased") return false
  // R29: whoever slept through half of its lease does not write any more: it may be somebody else's turn.
  if (performance.now() - began > LEASE * 500) return false
  const same = lease.before === row.grantState && equal(lease.row.profile, row.profile)
  const saved = await save(lease.row, lease.now, lease.before, same ? anew : {})
  return same && saved
}
