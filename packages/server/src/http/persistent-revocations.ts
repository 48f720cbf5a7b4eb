import type { SessionRow, Store } from "../stores/contract.js"

/** Revocations that are remembered, and milliseconds for which each is. */
const MAX_REMEMBERED = 10_000
const REMEMBERED = 15 * 60_000
/** Milliseconds between two rounds of repeats, before jitter: doubling while nothing gets through. */
const FIRST_PAUSE = 1_000
const LONGEST_PAUSE = 15_000

export interface RevocationHooks {
  /** From now on this process must refuse the session's tokens. Called anew at each round. */
  refuse(sid: string): void
  /** A session that a repeat has ended, after the call that asked for it had failed. */
  onEnded(ended: { session_id: string; sub?: string }, reason: string): void
}

export interface PersistentRevocations {
  /** The store, of which a revocation that fails is repeated. It fails all the same. */
  store: Store
  /** Ends sessions by and by: for a caller who is answered 503 before the revocation was even tried. */
  endLater: EndLater
  /** Stops the repeats. What is outstanding is forgotten. */
  close(): void
}

export type EndLater = (
  whose: { sid: string } | { sub: string; except: string | undefined },
  reason: string,
) => void

/** Whose end is outstanding. `at` is when it was asked for, by this process's monotonic clock. */
type Outstanding = { at: number; reason: string } & (
  | { sid: string }
  | { sub: string; except: string | undefined }
  | { idpIss: string; idpSid: string }
)

function keyOf(asked: Outstanding): string {
  if ("sid" in asked) return asked.sid
  return JSON.stringify("sub" in asked ? [asked.sub, asked.except] : [asked.idpIss, asked.idpSid, "provider"])
}

/**
 * F12: a revocation that the store did not take is answered 503, and it is not forgotten: until it gets through, this
 * process refuses the session's tokens and asks the store again. `store` and `quiet` are the same store, guarded; a failure
 * of `store` is told as an event, one of `quiet`, which the repeats use, is not.
 */
export function persistRevocations(
  store: Store,
  quiet: Store,
  hooks: RevocationHooks,
): PersistentRevocations {
  const { refuse, onEnded } = hooks
  // In the order in which they are tried: what has failed goes to the end, so that it holds up nothing else.
  const outstanding = new Map<string, Outstanding>()
  let rounds = 0
  let closed = false
  let running = false
  let timer: ReturnType<typeof setTimeout> | undefined

  function schedule(): void {
    if (closed || running || timer !== undefined || outstanding.size === 0) return
    const pause = Math.min(FIRST_PAUSE * 2 ** rounds, LONGEST_PAUSE)
    timer = setTimeout(() => void round(), pause * (0.5 + Math.random() / 2))
    // A process that has nothing else to do may end.
    timer.unref?.()
  }

  function remember(asked: Outstanding): void {
    if ("sid" in asked) refuse(asked.sid)
    const key = keyOf(asked)
    // The first reason stays, as in the store.
    outstanding.set(key, { ...asked, reason: outstanding.get(key)?.reason ?? asked.reason })
    const [oldest] = outstanding.keys()
    if (outstanding.size > MAX_REMEMBERED && oldest !== undefined) outstanding.delete(oldest)
    schedule()
  }

  async function attempt<T>(asked: Outstanding, work: () => Promise<T>): Promise<T> {
    try {
      const result = await work()
      rounds = 0
      const key = keyOf(asked)
      // What was asked later is not done by this: a session may have begun in between.
      if ((outstanding.get(key)?.at ?? Number.POSITIVE_INFINITY) <= asked.at) outstanding.delete(key)
      return result
    } catch (error) {
      remember(asked)
      throw error
    }
  }

  async function end(row: SessionRow, reason: string): Promise<void> {
    const { sid, sub } = row
    if (await quiet.revoke(sid, reason)) onEnded({ session_id: sid, sub }, reason)
  }

  async function repeat(asked: Outstanding): Promise<void> {
    if ("sid" in asked) {
      const { row } = await quiet.find(asked.sid)
      if (row) await end(row, asked.reason)
      return
    }
    if ("idpSid" in asked) {
      // That session at the provider is over for good: none of ours can have begun in it since.
      const ended = await quiet.revokeByProviderSession(asked.idpIss, asked.idpSid, asked.reason)
      for (const sid of ended) {
        refuse(sid)
        onEnded({ session_id: sid }, asked.reason)
      }
      return
    }
    // A login since then is no part of what was asked, and goes on. The store counts whole seconds: what may have begun
    // before, as far as these tell, is ended.
    const elapsed = Math.floor((performance.now() - asked.at) / 1000)
    const { rows, now } = await quiet.listByUser(asked.sub)
    const meant = rows.filter((row) => row.sid !== asked.except && row.createdAt <= now - elapsed)
    for (const row of meant) refuse(row.sid)
    for (const row of meant) await end(row, asked.reason)
  }

  /** Repeats what is outstanding until something fails. */
  async function round(): Promise<void> {
    timer = undefined
    running = true
    // The memory of refused sessions is shorter than an outage may be.
    for (const asked of outstanding.values()) if ("sid" in asked) refuse(asked.sid)
    for (const [key, asked] of outstanding) {
      const isOld = performance.now() - asked.at > REMEMBERED
      const isDone =
        isOld ||
        (await repeat(asked).then(
          () => true,
          () => false,
        ))
      if (isDone && !isOld) rounds = 0
      // Asked for anew meanwhile: that is still to be done.
      if (outstanding.get(key) === asked) {
        outstanding.delete(key)
        if (!isDone) outstanding.set(key, asked)
      }
      if (!isDone) {
        rounds++
        break
      }
    }
    running = false
    schedule()
  }

  return {
    store: {
      ...store,
      revoke(sid, reason) {
        const asked = { at: performance.now(), sid, reason }
        return attempt(asked, () => store.revoke(sid, reason))
      },
      revokeByUser(sub, reason, except) {
        const asked = { at: performance.now(), sub, reason, except }
        return attempt(asked, () => store.revokeByUser(sub, reason, except))
      },
      revokeByProviderSession(idpIss, idpSid, reason) {
        const asked = { at: performance.now(), idpIss, idpSid, reason }
        return attempt(asked, () => store.revokeByProviderSession(idpIss, idpSid, reason))
      },
    },
    endLater: (whose, reason) => remember({ at: performance.now(), ...whose, reason }),
    close() {
      closed = true
      outstanding.clear()
      clearTimeout(timer)
      timer = undefined
    },
  }
}
