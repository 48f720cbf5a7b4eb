import { Cluster, Redis } from "ioredis"
import { createCluster } from "redis"
import { afterAll, afterEach, describe, expect, test } from "vitest"
import { findRedis, notRun, type OwnServer, ownName, startRedis } from "../../test/support/services.js"
import { created } from "../testing/conformance/case.js"
import type { Store } from "./contract.js"
import { redisStore } from "./redis.js"
import { type Client, drivers } from "./redis-drivers.fixture.js"

const service = await findRedis()
const url = service?.url ?? ""
if (!service) notRun("scan in Redis")

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})
afterAll(async () => service?.close())

function open(client: Client, prefix = "pkce:"): Store {
  const store = redisStore(client, { prefix })
  ends.push(() => store.close?.())
  return store
}

const crowd = (store: Store, size: number) =>
  Promise.all(Array.from({ length: size }, async () => (await created(store)).sid))

/** The pages of one walk. `between` comes after each but the last, with what goes on. */
async function walk(store: Store, limit: number, between?: (next: string, page: number) => unknown) {
  const pages: string[][] = []
  for (let from: string | null = null; ; ) {
    const { rows, next } = await store.scan(from, limit)
    pages.push(rows.map(({ sid }) => sid))
    if (next === null) return pages
    await between?.(next, pages.length)
    from = next
  }
}

const met = (pages: string[][]) => [...new Set(pages.flat())].sort()

describe.runIf(service).each(Object.entries(drivers(url)))("scan in Redis, by %s", (_, driver) => {
  test("it meets all sessions of its prefix and no others, whatever the prefix means in a pattern", async () => {
    const { client, end } = await driver.connect()
    const raw = new Redis(url)
    const name = ownName()
    ends.push(end, () => raw.disconnect())
    ends.push(async () => raw.del(...(await raw.keys(`*${name}*`))))
    const odd = `[a-c]*?\\^{x}${name}:`
    // The other prefix, read as a pattern, would take these in.
    const plain = open(client, `axy\\^{x}${name}:`)
    const store = open(client, odd)
    const theirs = await crowd(plain, 3)
    const ours = await crowd(store, 30)
    // As a client with a prefix of its own writes them.
    await raw.set(`other:${odd}s:{${theirs[0]}}`, "not a session")
    expect(met(await walk(store, 7))).toEqual(ours.sort())
    expect(met(await walk(plain, 7))).toEqual(theirs.sort())
  })

  test("a page has no more than it should, and what it had no room for comes with the next", async () => {
    const { client, end } = await driver.connect()
    const raw = new Redis(url)
    const prefix = `${ownName()}:`
    ends.push(end, () => raw.disconnect())
    ends.push(async () => raw.del(...(await raw.keys(`${prefix}*`))))
    const store = open(client, prefix)
    const ours = await crowd(store, 50)
    const pages = await walk(store, 3)
    expect(Math.max(...pages.map((page) => page.length))).toBe(3)
    expect(met(pages)).toEqual(ours.sort())
  })
})

describe.runIf(service)("scan in Redis", () => {
  test("a client that puts a prefix of its own in front of keys", async () => {
    const name = ownName()
    const client = new Redis(url, { keyPrefix: `${name}:` })
    const raw = new Redis(url)
    ends.push(
      () => client.disconnect(),
      () => raw.disconnect(),
    )
    ends.push(async () => raw.del(...(await raw.keys(`${name}*`))))
    const store = open(client)
    const ours = await crowd(store, 20)
    expect(await raw.keys(`${name}:pkce:s:*`)).toHaveLength(20)
    expect(met(await walk(store, 500))).toEqual(ours.sort())
  })

  test("one call looks at so many keys and no more, and says where it goes on", async () => {
    const server = await start({})
    const client = new Redis(server.url)
    ends.push(() => client.disconnect())
    const others = Array.from({ length: 5000 }, (_, i) => [`other:${i}`, "x"])
    await client.mset(...others.flat())
    const store = open(client)
    const ours = await crowd(store, 5)
    const pages = await walk(store, 10)
    expect(pages.length).toBeGreaterThanOrEqual(3)
    expect(met(pages)).toEqual(ours.sort())
  })

  test("a walk that meets a server which was started anew begins there anew", async () => {
    const server = await start({ appendonly: "yes", appendfsync: "always" })
    const client = new Redis(server.url, { retryStrategy: () => 50 })
    client.on("error", () => undefined)
    ends.push(() => client.disconnect())
    const store = open(client)
    const ours = await crowd(store, 1500)
    const pages = await walk(store, 100, async (_, page) => {
      if (page !== 7) return
      await server.kill()
      await server.start()
    })
    expect(met(pages)).toEqual(ours.sort())
  })

  test("an account that may not ask which process answers walks all the same", async () => {
    const server = await start({})
    const client = new Redis(server.url)
    ends.push(() => client.disconnect())
    const store = open(client)
    const ours = await crowd(store, 300)
    await client.call("ACL", "SETUSER", "default", "-info")
    expect(met(await walk(store, 50))).toEqual(ours.sort())
  })
})

async function start(settings: Record<string, string>): Promise<OwnServer> {
  const server = await startRedis(settings)
  if (!server) throw new Error("redis-server is gone")
  ends.push(() => server.close())
  return server
}

/** A port above 55,535 leaves no room for the cluster's own, 10,000 above it: then another one. */
async function startNode(): Promise<OwnServer | null> {
  for (let attempts = 0; ; attempts++) {
    try {
      return await startRedis({ "cluster-enabled": "yes", "cluster-announce-ip": "127.0.0.1" })
    } catch (error) {
      if (attempts === 20) throw error
    }
  }
}

const nodes = [await startNode(), await startNode()].flatMap((node) => node ?? [])
if (nodes.length < 2) notRun("scan in a cluster of Redis")
afterAll(() => Promise.all(nodes.map((node) => node.close())))

describe.runIf(nodes.length === 2)("scan in a cluster of Redis", async () => {
  const raws = nodes.map(({ url }) => new Redis(url))
  const [one, two] = raws as [Redis, Redis]
  const [first, second] = nodes as [OwnServer, OwnServer]
  afterAll(() => {
    for (const raw of raws) raw.disconnect()
  })
  if (nodes.length === 2) {
    await one.call("CLUSTER", "ADDSLOTSRANGE", "0", "8191")
    await two.call("CLUSTER", "ADDSLOTSRANGE", "8192", "16383")
    await one.call("CLUSTER", "MEET", "127.0.0.1", String(second.port))
    const ready = async (raw: Redis) => {
      const info = String(await raw.call("CLUSTER", "INFO"))
      return info.includes("cluster_state:ok") && info.includes("cluster_size:2")
    }
    while (!(await ready(one)) || !(await ready(two)));
  }

  const clients: Record<string, () => Promise<Client>> = {
    async ioredis() {
      const client = new Cluster([{ host: "127.0.0.1", port: first.port }])
      client.on("error", () => undefined)
      ends.push(() => client.disconnect())
      return client
    },
    async redis() {
      const client = createCluster({ rootNodes: [{ url: first.url }] })
      client.on("error", () => undefined)
      ends.push(() => client.destroy())
      await client.connect()
      return client
    },
  }

  test.each(Object.keys(clients))("it goes through every server, by %s", async (name) => {
    const prefix = `${ownName()}:`
    const store = open((await clients[name]?.()) as Client, prefix)
    const ours = await crowd(store, 60)
    expect((await one.keys(`${prefix}s:*`)).length).toBeGreaterThan(0)
    expect((await two.keys(`${prefix}s:*`)).length).toBeGreaterThan(0)
    expect(met(await walk(store, 10))).toEqual(ours.sort())
  })

  test.each(Object.keys(clients))("it is the first thing that is asked of a client, by %s", async (name) => {
    const prefix = `${ownName()}:`
    const ours = await crowd(open((await clients[name]?.()) as Client, prefix), 20)
    const fresh = open((await clients[name]?.()) as Client, prefix)
    expect(met(await walk(fresh, 100))).toEqual(ours.sort())
  })

  test("a walk that another client began goes on, though it knows the servers in another order", async () => {
    const prefix = `${ownName()}:`
    const stores = [
      open((await clients.ioredis?.()) as Client, prefix),
      open((await clients.redis?.()) as Client, prefix),
    ]
    const ours = await crowd(stores[0] as Store, 250)
    const seen: string[] = []
    const places = new Set<string>()
    for (let from: string | null = null, turn = 0; ; turn++) {
      const page: Awaited<ReturnType<Store["scan"]>> = await (stores[turn % 2] as Store).scan(from, 100)
      seen.push(...page.rows.map(({ sid }) => sid))
      if (page.next === null) break
      expect(places.has(page.next)).toBe(false)
      places.add(page.next)
      from = page.next
    }
    expect(seen.sort()).toEqual(ours.sort())
  })

  test("a server that the client has lost is an error, and not the end", async () => {
    const prefix = `${ownName()}:`
    const client = (await clients.ioredis?.()) as Cluster
    const store = open(client, prefix)
    await crowd(store, 20)
    // The one that the store's first question does not go to: that would bring it back.
    const slot = Number(await one.call("CLUSTER", "KEYSLOT", `${prefix}s:{}`))
    const { port } = slot < 8192 ? second : first
    const lost = client.nodes("master").find(({ options }) => options.port === port)
    const gone = new Promise((resolve) => client.once("-node", resolve))
    lost?.disconnect()
    await gone
    await expect(store.scan(null, 1000)).rejects.toThrow("a server of the cluster is not connected")
  })

  test("sessions that move to a server which was walked already are met all the same", async () => {
    const prefix = `${ownName()}:`
    const store = open((await clients.redis?.()) as Client, prefix)
    const ours = await crowd(store, 600)
    const ids = [String(await one.call("CLUSTER", "MYID")), String(await two.call("CLUSTER", "MYID"))]
    // The walk goes by the servers' addresses.
    const [walked, other] = first.url < second.url ? [0, 1] : [1, 0]
    const [to, from] = [raws[walked] as Redis, raws[other] as Redis]
    const [key = ""] = await from.keys(`${prefix}s:*`)
    const slot = String(await from.call("CLUSTER", "KEYSLOT", key))
    const asTo = ids[walked] ?? ""
    async function move(): Promise<void> {
      const asFrom = ids[other] ?? ""
      await to.call("CLUSTER", "SETSLOT", slot, "IMPORTING", asFrom)
      await from.call("CLUSTER", "SETSLOT", slot, "MIGRATING", asTo)
      const keys = (await from.call("CLUSTER", "GETKEYSINSLOT", slot, "1000")) as string[]
      const target = (nodes[walked] as OwnServer).port
      await from.call("MIGRATE", "127.0.0.1", String(target), "", "0", "5000", "KEYS", ...keys)
      for (const raw of [to, from]) await raw.call("CLUSTER", "SETSLOT", slot, "NODE", asTo)
    }
    let moved = false
    const pages = await walk(store, 100, async (next) => {
      if (moved || (JSON.parse(next) as { at: number }).at !== 1) return
      moved = true
      await move()
    })
    expect(moved).toBe(true)
    expect(met(pages)).toEqual(ours.sort())
  })
})
