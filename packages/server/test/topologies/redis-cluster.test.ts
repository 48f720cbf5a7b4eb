import { Cluster, Redis } from "ioredis"
import { createCluster } from "redis"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { guardStore } from "../../src/http/guarded-store.js"
import type { Store } from "../../src/stores/contract.js"
import { redisStore } from "../../src/stores/redis.js"
import { created, id } from "../../src/testing/conformance/case.js"
import { storeConformance } from "../../src/testing/store-conformance.js"
import { createRig, requestOf } from "../support/line.js"
import { installed, notRun, ownName, startRedis } from "../support/services.js"
import { allSound, type ClusterNode, moveSlot, startCluster } from "./cluster.js"
import { hearing, PATIENCE, persisted } from "./line-on-store.js"
import { cutOff } from "./replicated.js"

const cluster = await startCluster(3)
const valkey = installed("valkey-server") ? await startRedis({}, "valkey-server") : null
afterAll(async () => {
  await Promise.all([cluster?.close(), valkey?.close()])
})
if (!cluster) notRun("Redis as a cluster of three masters")

const nodes = cluster?.nodes ?? []
const prefix = `${ownName()}:`
const ownerOf = (sid: string) => cluster?.ownerOf(`${prefix}s:{${sid}}`)

type Client = Parameters<typeof redisStore>[0]

/** The clients as their manuals make them: nothing is set but where the cluster is. */
function connect() {
  const ioredis = new Cluster(nodes.map(({ server }) => ({ host: "127.0.0.1", port: server.port })))
  const redis = createCluster({ rootNodes: nodes.map(({ server }) => ({ url: server.url })) })
  const clients = { ioredis, redis }
  for (const client of Object.values(clients)) client.on("error", () => undefined)
  return {
    clients,
    open: () => Promise.all([ioredis.ping(), redis.connect()]),
    close() {
      ioredis.disconnect()
      redis.destroy()
    },
  }
}

describe.runIf(cluster)("a cluster of three masters", { timeout: 60_000 }, () => {
  const { clients, open, close } = connect()
  beforeAll(open)
  afterAll(close)

  const pairs = [
    ["ioredis", clients.ioredis, clients.redis],
    ["redis", clients.redis, clients.ioredis],
  ] as const

  describe.each(pairs)("by %s", (_, client, other) => {
    const store = redisStore(client, { prefix })
    const elsewhere = redisStore(other, { prefix })
    afterAll(() => Promise.all([store.close?.(), elsewhere.close?.()]))

    describe("G10: the conformance kit", () => kit(client))

    test("one user's sessions lie on every node, and are found, ended and heard of as one", async () => {
      const heard = new Set<string>()
      const stop = elsewhere.onRevoked?.((sid) => heard.add(sid))
      await hearing(elsewhere, store)
      const sub = id()
      const sids = await onEveryNode(store, sub)
      expect(await sidsOf(store, sub)).toEqual(sids)
      expect(await sidsOf(elsewhere, sub)).toEqual(sids)

      const [kept = "", ...ended] = sids
      expect((await store.revokeByUser(sub, "password", kept)).sort()).toEqual(ended)
      expect(await sidsOf(elsewhere, sub)).toEqual([kept])
      await vi.waitFor(() => expect(ended.filter((sid) => !heard.has(sid))).toEqual([]), PATIENCE)
      expect(heard.has(kept)).toBe(false)
      stop?.()
    })

    test("a session moves to another node while it is used", async () => {
      const rig = createRig({ store: ({ now }) => redisStore(client, { prefix, now }) })
      const onOther = redisStore(other, { prefix, now: rig.clock.now })
      const holder = await rig.login()
      async function generation(): Promise<number> {
        expect((await rig.refresh(holder)).outcome).toBe("granted")
        const row = await rig.row(holder.sid)
        expect((await onOther.find(holder.sid)).row).toEqual(row)
        return row.gen
      }
      const from = await ownerOf(holder.sid)
      const to = nodes.find((node) => node !== from)
      if (!from || !to) throw new Error("there is no other node")
      const key = `${prefix}s:{${holder.sid}}`
      const move = await moveSlot(nodes, from, to, key)
      expect(await generation()).toBe(1)
      await move.begin()
      expect(await generation()).toBe(2)
      await move.keys()
      // The new node has never seen the script, and answers for this key only when it is asked to.
      await to.raw.script("FLUSH")
      expect(await generation()).toBe(3)
      await move.end()
      expect(await generation()).toBe(4)
      expect(await ownerOf(holder.sid)).toBe(to)
      expect(await to.raw.ttl(key)).toBeGreaterThan(0)
      expect(await onOther.revoke(holder.sid, "logout")).toBe(true)
      expect(await rig.refresh(holder)).toEqual({ outcome: "ended", code: "session_revoked" })
    })
  })

  test("R8: a master that dies is our outage: nobody is logged out, and no process must be restarted", async () => {
    const [dying] = nodes
    if (!dying) throw new Error("there is no node")
    const sides = await Promise.all(
      Object.values(clients).map(async (client) => {
        const rig = createRig({ store: ({ now }) => redisStore(client, { prefix, now }) })
        const own = `${ownName()}:`
        const store = redisStore(client, { prefix: own })
        await listeningAt(dying, store, own)
        const holders = await Promise.all(Array.from({ length: 20 }, () => rig.login()))
        let hit = await rig.login()
        while ((await ownerOf(hit.sid)) !== dying) hit = await rig.login()
        holders.push(hit)
        for (const holder of holders) await rig.refresh(holder)
        return { rig, store, holders, hit }
      }),
    )

    const load = sides.flatMap(({ rig, holders }) =>
      holders.map(async (holder) => {
        for (let i = 0; i < 3; i++) expect((await persisted(rig, holder)).outcome).toBe("granted")
      }),
    )
    await dying.server.kill()
    const refused = await Promise.allSettled(sides.map(({ rig, hit }) => rig.line.refresh(requestOf(hit))))
    for (const result of refused) {
      expect(result).toMatchObject({ status: "rejected", reason: { code: "unavailable", status: 503 } })
    }
    await dying.server.start()
    await Promise.all(load)
    await allSound(nodes)
    for (const { rig, store, holders } of sides) {
      for (const { sid } of holders) expect((await rig.row(sid)).gen).toBe(4)
      expect(rig.reuses).toEqual([])
      await hearing(store, store)
      await store.close?.()
    }
  })

  // The last of all: the master never comes back.
  test("R10: an end waits for a replica, and what a failover brings back to life is ended again", async () => {
    const [dying] = nodes
    if (!cluster || !dying) throw new Error("there is no node")
    const heir = await cluster.addReplica(dying)
    const sides = await Promise.all(
      Object.values(clients).map(async (client) => {
        const own = redisStore(client, { prefix })
        const store = guardStore(own, () => undefined)
        let { sid } = await created(store)
        while ((await ownerOf(sid)) !== dying) sid = (await created(store)).sid
        return { own, store, sid }
      }),
    )
    await vi.waitFor(async () => expect(await heir.raw.dbsize()).toBe(await dying.raw.dbsize()), PATIENCE)
    for (const { store } of sides) {
      await dying.raw.config("RESETSTAT")
      await store.revoke((await created(store)).sid, "logout")
      expect(await dying.raw.info("commandstats")).toContain("cmdstat_wait:")
    }
    await cutOff(dying.raw)
    for (const { store, sid } of sides) expect(await store.revoke(sid, "logout")).toBe(true)
    await dying.server.kill()
    await vi.waitFor(() => heir.raw.call("CLUSTER", "FAILOVER", "TAKEOVER"), PATIENCE)
    for (const { own, store, sid } of sides) {
      const ended = async () => expect((await store.find(sid)).row?.revokedReason).toBe("logout")
      await vi.waitFor(ended, PATIENCE)
      await own.close?.()
    }
  })
})

if (valkey) {
  describe("G10: the conformance kit on Valkey", () => {
    const client = new Redis(valkey.url)
    client.on("error", () => undefined)
    afterAll(() => client.disconnect())
    kit(client)
  })
}

function kit(client: Client): void {
  let ms = 1_900_000_000_000
  const advanceClock = (seconds: number) => {
    ms += seconds * 1000
  }
  const store = redisStore(client, { prefix, now: () => ms })
  for (const { name, run } of storeConformance(async () => ({ store, advanceClock }))) test(name, run)
}

async function sidsOf(store: Store, sub: string): Promise<string[]> {
  return (await store.listByUser(sub)).rows.map(({ sid }) => sid).sort()
}

/** Enough sessions of one user that each node holds some. */
async function onEveryNode(store: Store, sub: string): Promise<string[]> {
  const rows = await Promise.all(Array.from({ length: 60 }, () => created(store, { sub })))
  const sids = rows.map(({ sid }) => sid).sort()
  const held = await Promise.all(
    nodes.map(async ({ raw }) => {
      const keys = await raw.keys(`${prefix}s:*`)
      return sids.filter((sid) => keys.some((key) => key.includes(sid)))
    }),
  )
  for (const here of held) expect(here.length).toBeGreaterThan(0)
  expect(held.flat().sort()).toEqual(sids)
  return sids
}

/** Listens until the connection for it, which a cluster's client opens anywhere, is at that node. */
async function listeningAt(node: ClusterNode, store: Store, prefix: string): Promise<void> {
  const listeners = async () =>
    (await Promise.all(nodes.map(({ raw }) => raw.call("PUBSUB", "CHANNELS", `${prefix}*`)))) as string[][]
  for (;;) {
    const stop = store.onRevoked?.(() => undefined)
    await hearing(store, store)
    if ((await listeners())[nodes.indexOf(node)]?.length) return
    stop?.()
    await vi.waitFor(async () => expect((await listeners()).flat()).toEqual([]), PATIENCE)
  }
}
