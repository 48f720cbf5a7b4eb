import { Redis } from "ioredis"
import { vi } from "vitest"
import { type OwnServer, startRedis } from "../support/services.js"
import { type Gate, openGate } from "./gate.js"
import { PATIENCE } from "./line-on-store.js"

/** A primary and its replica, both of our own. */
export interface Replicated {
  primary: OwnServer
  replica: OwnServer
  /** Connections for the test itself. */
  onPrimary: Redis
  onReplica: Redis
  /** The replica hears of all that was written by now, and of nothing that follows. */
  cut(): Promise<void>
  close(): Promise<void>
}

/** @param lag Milliseconds by which the replica is behind. `null` where no Redis is installed. */
export async function startReplicated(lag = 0): Promise<Replicated | null> {
  const closing: (() => unknown)[] = []
  const close = async () => {
    await Promise.all(closing.map((end) => end()))
  }
  try {
    const primary = await startRedis({ "repl-diskless-sync-delay": "0" })
    if (!primary) return null
    closing.push(primary.close)
    let gate: Gate | null = null
    if (lag > 0) {
      gate = await openGate(primary.port, lag)
      closing.push(gate.close)
    }
    const replica = await startRedis({ replicaof: `127.0.0.1 ${gate?.port ?? primary.port}` })
    if (!replica) throw new Error("redis-server is gone")
    closing.push(replica.close)
    function connect({ url }: OwnServer): Redis {
      const raw = new Redis(url, { retryStrategy: () => 50 })
      raw.on("error", () => undefined)
      closing.push(() => raw.disconnect())
      return raw
    }
    const [onPrimary, onReplica] = [connect(primary), connect(replica)]
    await caughtUp(onPrimary)
    async function cut(): Promise<void> {
      await caughtUp(onPrimary)
      await cutOff(onPrimary)
    }
    return { primary, replica, onPrimary, onReplica, cut, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** WAIT asks for what this connection has written: with it all that was written before. */
async function caughtUp(onPrimary: Redis): Promise<void> {
  await onPrimary.set("written", "last")
  await vi.waitFor(async () => {
    if ((await onPrimary.wait(1, 1000)) < 1) throw new Error("the replica is behind")
  }, PATIENCE)
}

/** A primary's replicas are gone from now on, and may not come again. */
export async function cutOff(onPrimary: Redis): Promise<void> {
  await onPrimary.call("ACL", "SETUSER", "default", "-psync", "-sync")
  await onPrimary.call("CLIENT", "KILL", "TYPE", "replica")
}
