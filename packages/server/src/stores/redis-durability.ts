import type { RedisConnection } from "./redis-client.js"
import type { RedisArgument } from "./redis-types.js"

/** Milliseconds that a revocation waits for one replica, and for which the number of replicas is believed. */
const WAIT = 100
const BELIEVED = 30_000

/** Milliseconds for which an ended session is remembered, and how many. */
const REMEMBERED = 15 * 60_000
const MAX_REMEMBERED = 10_000

type Command = (args: RedisArgument[]) => Promise<unknown>

/** Returns when one replica of each server has what this process wrote, where there are replicas, or after a moment. */
export function createReplicaWait(redis: RedisConnection): () => Promise<void> {
  const waits = new Map<string, (command: Command) => Promise<void>>()
  const only = [{ name: "", command: (args: RedisArgument[]) => redis.command("", args) }]

  return async () => {
    const servers = redis.masters?.() ?? only
    await Promise.all(
      servers.map(({ name, command }) => {
        const wait = waits.get(name) ?? createWait()
        waits.set(name, wait)
        return wait(command)
      }),
    )
  }
}

/**
 * WAIT stops the connection that it is sent on, and so every refresh of this process: at most one of them is under way, and
 * one that is missed is the last for a while.
 */
function createWait(): (command: Command) => Promise<void> {
  let known: { at: number; replicas: Promise<boolean> } | undefined
  let running = Promise.resolve()
  let next: Promise<void> | undefined

  const ask = async (command: Command): Promise<boolean> =>
    /^connected_slaves:[1-9]/m.test(String(await command(["INFO", "replication"])))

  async function wait(command: Command): Promise<void> {
    try {
      if (!known || performance.now() - known.at > BELIEVED) {
        known = { at: performance.now(), replicas: ask(command) }
      }
      if (!(await known.replicas)) return
      if (Number(await command(["WAIT", "1", String(WAIT)])) > 0) return
      known = { at: performance.now(), replicas: Promise.resolve(false) }
    } catch {
      // The session has ended on the primary; an account that may not ask does without.
    }
  }

  return (command) => {
    // Whoever comes while one is under way may have written after it was sent: all of them share the one that follows.
    next ??= running.then(() => {
      next = undefined
      running = wait(command)
      return running
    })
    return next
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
