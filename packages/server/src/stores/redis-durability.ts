import type { RedisConnection } from "./redis-client.js"

/** Milliseconds that a revocation waits for one replica, and for which the number of replicas is believed. */
const WAIT = 100
const BELIEVED = 30_000

/** Milliseconds for which an ended session is remembered, and how many. */
const REMEMBERED = 15 * 60_000
const MAX_REMEMBERED = 10_000

/** Returns when one replica has the last write, where there are replicas, or after a moment. */
export function createReplicaWait(redis: RedisConnection): (key: string) => Promise<void> {
  let known: { at: number; replicas: Promise<boolean> } | undefined

  const ask = async (key: string): Promise<boolean> =>
    /^connected_slaves:[1-9]/m.test(String(await redis.command(key, ["INFO", "replication"])))

  return async (key) => {
    if (!redis.follows) return
    try {
      if (!known || performance.now() - known.at > BELIEVED) {
        known = { at: performance.now(), replicas: ask(key) }
      }
      if (await known.replicas) await redis.command(key, ["WAIT", "1", String(WAIT)])
    } catch {
      // The session has ended on the primary; an account that may not ask does without.
    }
  }
}

/**
 * R10: a failover may lose the last second of writes, revocations among them. What this process ended in the last quarter
 * of an hour it ends again whenever its connection was made anew.
 */
export function createEndedSessions(again: (sid: string, reason: string) => Promise<unknown>) {
  const ended = new Map<string, { reason: string; at: number }>()

  function forgetOld(): void {
    for (const [sid, { at }] of ended) {
      if (ended.size <= MAX_REMEMBERED && performance.now() - at < REMEMBERED) return
      ended.delete(sid)
    }
  }
  return {
    add(sid: string, reason: string): void {
      ended.set(sid, { reason, at: performance.now() })
      forgetOld()
    },
    endAgain(): void {
      forgetOld()
      // A connection that fails meanwhile will be made anew, and asks again.
      for (const [sid, { reason }] of ended) again(sid, reason).catch(() => undefined)
    },
  }
}

/** Says once that the server may throw sessions away. An account that may not read the setting hears nothing. */
export function createEvictionCheck(redis: RedisConnection, key: string, warn: (text: string) => void) {
  let checked = false
  return (): void => {
    if (checked) return
    checked = true
    redis.command(key, ["CONFIG", "GET", "maxmemory-policy"]).then(
      (reply) => {
        const policy = policyOf(reply)
        if (policy === undefined || policy === "noeviction") return
        warn(
          `Redis has maxmemory-policy ${policy}: when its memory is full it deletes sessions, and their users are logged ` +
            "out. Set it to noeviction.",
        )
      },
      () => undefined,
    )
  }
}

/** The reply is a list, or with RESP 3 a map, which drivers give as an object. */
function policyOf(reply: unknown): string | undefined {
  if (typeof reply !== "object" || reply === null) return undefined
  const value = Array.isArray(reply)
    ? reply[1]
    : reply instanceof Map
      ? [...reply.values()][0]
      : Object.values(reply)[0]
  return value === undefined ? undefined : String(value)
}
