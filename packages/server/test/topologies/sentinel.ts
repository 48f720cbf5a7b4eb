import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Redis } from "ioredis"
import { vi } from "vitest"
import { installed, type OwnServer, ownServer, pingRedis } from "../support/services.js"
import { PATIENCE } from "./line-on-store.js"

/** The name by which clients ask the Sentinel for its primary. */
export const WATCHED = "pkce"

/** One Sentinel, which decides alone. Returns when it knows the primary's replica. */
export async function startSentinel(primary: OwnServer): Promise<OwnServer> {
  const binary = installed("redis-server")
  if (!binary) throw new Error("redis-server is gone")
  const sentinel = await ownServer({
    urlOf: (port) => `redis://127.0.0.1:${port}`,
    ping: pingRedis,
    prepare(folder) {
      const lines = [
        "bind 127.0.0.1",
        `dir ${folder}`,
        `sentinel monitor ${WATCHED} 127.0.0.1 ${primary.port} 1`,
        `sentinel down-after-milliseconds ${WATCHED} 500`,
        `sentinel failover-timeout ${WATCHED} 5000`,
      ]
      writeFileSync(join(folder, "sentinel.conf"), `${lines.join("\n")}\n`)
    },
    command: (port, folder) => [
      binary,
      join(folder, "sentinel.conf"),
      ...["--sentinel", "--port", String(port)],
    ],
  })
  const raw = new Redis(sentinel.url)
  raw.on("error", () => undefined)
  try {
    await vi.waitFor(async () => {
      const replicas = (await raw.call("SENTINEL", "REPLICAS", WATCHED)) as unknown[]
      if (replicas.length !== 1) throw new Error("the Sentinel does not know the replica yet")
    }, PATIENCE)
    return sentinel
  } catch (error) {
    await sentinel.close()
    throw error
  } finally {
    raw.disconnect()
  }
}
