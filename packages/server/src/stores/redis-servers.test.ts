import { Cluster, Redis } from "ioredis"
import { createCluster } from "redis"
import { afterAll, describe, expect, test, vi } from "vitest"
import { notRun, type OwnServer, startRedis } from "../../test/support/services.js"
import { created, stepOf } from "../testing/conformance/case.js"
import { storeConformance } from "../testing/store-conformance.js"
import { redisStore } from "./redis.js"

const servers: OwnServer[] = []
async function start(settings: Record<string, string>): Promise<OwnServer> {
  const server = await startRedis(settings)
  if (!server) throw new Error("redis-server is gone")
  servers.push(server)
  return server
}
afterAll(() => Promise.all(servers.map((server) => server.close())))

const first = await startRedis({ "cluster-enabled": "yes", "cluster-announce-ip": "127.0.0.1" })
if (first) servers.push(first)
else notRun("Redis as a cluster, with a replica, and with an evicting policy")

describe.runIf(first)("Redis as a cluster", async () => {
  const port = first?.port ?? 0
  if (first) {
    const raw = new Redis(first.url)
    await raw.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    while (!String(await raw.call("CLUSTER", "INFO")).includes("cluster_state:ok")) await raw.ping()
    raw.disconnect()
  }

  describe("G10: the conformance kit, by ioredis", () => {
    const client = new Cluster([{ host: "127.0.0.1", port }])
    client.on("error", () => undefined)
    afterAll(() => client.disconnect())
    const store = redisStore(client)
    for (const { name, needsClock, run } of storeConformance(async () => ({ store })))
      if (!needsClock) test(name, run)
  })

  describe("G10: the conformance kit, by redis", () => {
    const client = createCluster({ rootNodes: [{ url: first?.url ?? "" }] })
    client.on("error", () => undefined)
    afterAll(() => client.destroy())
    let connected: Promise<unknown> | undefined
    const store = redisStore(client)
    const subject = async () => {
      connected ??= client.connect()
      await connected
      return { store }
    }
    for (const { name, needsClock, run } of storeConformance(subject)) if (!needsClock) test(name, run)

    test("an ended session is heard of", async () => {
      const heard: string[] = []
      const stop = store.onRevoked?.((sid) => heard.push(sid))
      await vi.waitFor(
        async () => {
          const { sid } = await created(store)
          await store.revoke(sid, "logout")
          expect(heard.length).toBeGreaterThan(0)
        },
        { timeout: 10_000 },
      )
      stop?.()
      await store.close?.()
    })
  })
})

/** An ioredis client that writes down what it sends, scripts by their name only. */
function spying(url: string) {
  const client = new Redis(url)
  const sent: string[] = []
  const send = client.callBuffer.bind(client) as (...args: (string | Buffer)[]) => Promise<unknown>
  const callBuffer = (...args: (string | Buffer)[]) => {
    sent.push(args[0] === "EVALSHA" || args[0] === "EVAL" ? "script" : args.join(" "))
    return send(...args)
  }
  return { client: Object.assign(client, { callBuffer }) as Redis, sent }
}

describe.runIf(first)("durability", () => {
  test("R10: an end waits for one replica where there is one, and nothing else does", async () => {
    const primary = await start({ "repl-diskless-sync-delay": "0" })
    const lonely = spying(primary.url)
    const store = redisStore(lonely.client)
    await store.revoke((await created(store)).sid, "logout")
    await store.revoke((await created(store)).sid, "logout")
    expect(lonely.sent.filter((command) => /^(INFO|WAIT)/.test(command))).toEqual(["INFO replication"])
    lonely.client.disconnect()

    const replica = await start({ replicaof: `127.0.0.1 ${primary.port}` })
    const { client, sent } = spying(primary.url)
    // WAIT asks for what its own connection has written.
    await client.set("written", "last")
    await vi.waitFor(async () => expect(await client.wait(1, 1000)).toBe(1), { timeout: 15_000 })
    const replicated = redisStore(client)
    const row = await created(replicated)
    await replicated.advance(stepOf(row, 1))
    expect(sent.filter((command) => command !== "script")).toEqual(["CONFIG GET maxmemory-policy"])
    sent.length = 0
    expect(await replicated.revoke(row.sid, "logout")).toBe(true)
    expect(sent).toEqual(["script", "INFO replication", "WAIT 1 100"])
    const copy = new Redis(replica.url)
    const key = `pkce:s:{${row.sid}}`
    expect(await copy.getBuffer(key)).toEqual(await client.getBuffer(key))
    copy.disconnect()
    client.disconnect()
  })

  test("a server that may evict sessions is warned of, once; a sound or a silent one is not", async () => {
    const evicting = await start({ maxmemory: "100mb", "maxmemory-policy": "volatile-lru" })
    const admin = new Redis(evicting.url)
    const warningsOf = async () => {
      const warnings: string[] = []
      const client = new Redis(evicting.url)
      const store = redisStore(client, { onWarning: (text) => warnings.push(text) })
      expect(warnings).toEqual([])
      await created(store)
      await created(store)
      // Sent later on the same connection: by now the setting has been read.
      await client.ping()
      client.disconnect()
      return warnings
    }
    expect(await warningsOf()).toEqual([expect.stringContaining("maxmemory-policy volatile-lru")])
    await admin.call("ACL", "SETUSER", "default", "-config")
    expect(await warningsOf()).toEqual([])
    await admin.call("ACL", "SETUSER", "default", "+config")
    await admin.config("SET", "maxmemory-policy", "noeviction")
    expect(await warningsOf()).toEqual([])
    admin.disconnect()
  })

  test("an account that may not publish still ends sessions", async () => {
    const server = await start({})
    const client = new Redis(server.url)
    const store = redisStore(client)
    const { sid } = await created(store)
    await client.call("ACL", "SETUSER", "default", "-publish", "-info")
    expect(await store.revoke(sid, "logout")).toBe(true)
    expect((await store.find(sid)).row?.revokedReason).toBe("logout")
    client.disconnect()
  })

  test("GR6: a full server is an error, and changes nothing", async () => {
    const server = await start({ "maxmemory-policy": "noeviction" })
    const client = new Redis(server.url)
    const store = redisStore(client)
    const row = await created(store)
    await client.config("SET", "maxmemory", "1")
    await expect(store.advance(stepOf(row, 1))).rejects.toThrow(/OOM/)
    await client.config("SET", "maxmemory", "0")
    expect((await store.find(row.sid)).row).toEqual(row)
    client.disconnect()
  })
})
