import { Cluster, Redis } from "ioredis"
import { createCluster } from "redis"
import { afterAll, afterEach, describe, expect, test } from "vitest"
import { notRun, type OwnServer, ownName, startRedis } from "../../test/support/services.js"
import type { Store } from "./contract.js"
import { redisStore } from "./redis.js"
import type { Client } from "./redis-drivers.fixture.js"
import { crowd, met, walk } from "./redis-walk.fixture.js"

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

function open(client: Client, prefix: string): Store {
  const store = redisStore(client, { prefix })
  ends.push(() => store.close?.())
  return store
}

const startNode = () => startRedis({ "cluster-enabled": "yes", "cluster-announce-ip": "127.0.0.1" })

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
