import { Redis } from "ioredis"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { findRedis, notRun, ownName } from "../../test/support/services.js"
import { created, DAY, leased, newSession, sealed, sealOf, stepOf } from "../testing/conformance/case.js"
import { storeConformance } from "../testing/store-conformance.js"
import type { Store } from "./contract.js"
import { realistic } from "./realistic.fixture.js"
import { redisStore } from "./redis.js"
import { type Client, drivers } from "./redis-drivers.fixture.js"

const service = await findRedis()
const prefix = `${ownName()}:`

const url = service?.url ?? ""

if (!service) notRun("the store in Redis")

afterAll(async () => service?.close())

describe.runIf(service).each(Object.entries(drivers(url)))("the store in Redis, by %s", (_, driver) => {
  let client: Client
  let end: () => void
  let raw: Redis
  beforeAll(async () => {
    ;({ client, end } = await driver.connect())
    raw = new Redis(url)
  })
  afterAll(async () => {
    const keys = await raw.keys(`${prefix}*`)
    if (keys.length > 0) await raw.del(...keys)
    raw.disconnect()
    end()
  })
  const open = (options: { now?: () => number } = {}): Store => redisStore(client, { prefix, ...options })

  describe("G10: the conformance kit", () => {
    let ms = 1_900_000_000_000
    const subject = async () => {
      const store = open({ now: () => ms })
      const advanceClock = (seconds: number) => {
        ms += seconds * 1000
      }
      return { store, advanceClock, close: async () => store.close?.() }
    }
    for (const { name, run } of storeConformance(subject)) test(name, run)
  })

  describe("G10: the conformance kit, by Redis's own clock", () => {
    const subject = async () => {
      const store = open()
      return { store, close: async () => store.close?.() }
    }
    for (const { name, needsClock, run } of storeConformance(subject)) if (!needsClock) test(name, run)
  })

  test("a refresh is one command, also a refused one", async () => {
    const commands: string[] = []
    const store = redisStore(driver.counted(client, commands), { prefix })
    const row = await created(store)
    await store.advance(stepOf(row, 1))
    commands.length = 0
    expect(
      (await store.advance(stepOf({ ...row, gen: 1, cur: new Uint8Array(32).fill(1) }, 2))).outcome,
    ).toBe("advanced")
    expect((await store.advance(stepOf(row, 1))).outcome).toBe("refused")
    expect(commands).toEqual(["EVALSHA", "EVALSHA"])
    await store.close?.()
  })

  test("what each call takes: one command where it can be one", async () => {
    const commands: string[] = []
    const own = `${ownName()}:`
    const store = redisStore(driver.counted(client, commands), { prefix: own })
    const took = async (work: () => Promise<unknown>) => {
      commands.length = 0
      await work()
      return [...commands]
    }
    const script = (times: number) => Array.from({ length: times }, () => "EVALSHA")
    // Once for all: the setting is asked for, and the server learns the scripts.
    const asked = await created(store, { idpSid: "warm", grantDueSeconds: 0 })
    await store.leaseGrant(asked.sid, { rev: 0, seconds: 1 })
    await sealed(store, sealOf(asked, { lease: 1, dueSeconds: 9000 }))
    await Promise.all([store.due(0, 1), store.scan(null, 1), store.claim("jti", "", "x", 60)])
    await store.peek("jti", "")
    await store.revokeByProviderSession(asked.idpIss, "warm", "logout")

    expect(await took(() => created(store))).toEqual(script(2))
    expect(await took(() => created(store, { idpSid: "a" }))).toEqual(script(3))
    expect(await took(() => created(store, { grantDueSeconds: 0 }))).toEqual(script(3))
    const session = newSession({ idpSid: "b", grantDueSeconds: 0 })
    expect(await took(() => store.create(session))).toEqual(script(4))
    const seal = sealOf({ ...asked, sid: session.sid, leaseNumber: 1 })
    expect(await took(() => store.leaseGrant(session.sid, { rev: 0, seconds: 60 }))).toEqual(script(1))
    expect(await took(() => store.leaseGrant(session.sid, { rev: 0, seconds: 60 }))).toEqual(script(1))
    expect(await took(() => store.sealGrant(seal))).toEqual(script(1))
    expect(await took(() => store.sealGrant({ ...seal, dueSeconds: 0 }))).toEqual(script(2))
    expect(await took(() => store.peek("jti", ""))).toEqual(script(1))
    expect((await store.due(0, 10)).rows).toHaveLength(2)
    // The index, and each row once. What is wrong in the index takes one more, once.
    expect(await took(() => store.due(0, 10))).toEqual(script(3))
    await store.sealGrant({ ...seal, dueSeconds: 9000 })
    expect(await took(() => store.due(0, 10))).toEqual(script(4))
    expect(await took(() => store.due(0, 10))).toEqual(script(2))
    expect(await took(() => store.revokeByProviderSession(session.idpIss, "b", "logout"))).toEqual(script(3))
    await raw.del(...(await raw.keys(`${own}*`)))
    await store.close?.()
  })

  test("a server that has forgotten the scripts is told them again", async () => {
    const commands: string[] = []
    const store = redisStore(driver.counted(client, commands), { prefix })
    const row = await created(store)
    await raw.script("FLUSH")
    commands.length = 0
    expect((await store.advance(stepOf(row, 1))).outcome).toBe("advanced")
    expect(commands).toEqual(["EVALSHA", "EVAL"])
    await store.close?.()
  })

  test("every key has a time to live, and a refresh keeps it", async () => {
    const store = open()
    const sub = `ttl ${prefix}`
    const row = await created(store, { sub, absoluteSeconds: 90 * DAY, idpSid: sub, grantDueSeconds: 60 })
    await created(store, { sub, absoluteSeconds: 10 * DAY })
    await store.advance(stepOf(row, 1))
    await sealed(
      store,
      sealOf((await leased(store, row)).row, { dueSeconds: 60, profile: new Uint8Array(9) }),
    )
    await store.claim("code", sub, "a value", 60)
    await store.settle("code", sub, "a value", "another")
    const ttl = (key: string) => raw.ttl(prefix + key)
    expect(await ttl(`o:code:{${sub}}`)).toSatisfy(within(60))
    for (const key of [`s:{${row.sid}}`, `u:{${sub}}`]) expect(await ttl(key)).toSatisfy(within(91 * DAY))
    await store.revoke(row.sid, "logout")
    expect(await ttl(`s:{${row.sid}}`)).toSatisfy(within(91 * DAY))
    for (const key of await raw.keys(`${prefix}*`)) expect(await raw.ttl(key)).toBeGreaterThan(0)
    await store.close?.()
  })

  test("a session takes at most 1,300 bytes of Redis's memory, its entry in the index included", async () => {
    const store = open()
    const row = await created(store, realistic)
    const sizes = await Promise.all(
      [`s:{${row.sid}}`, `u:{${row.sub}}`].map((key) => raw.memory("USAGE", prefix + key)),
    )
    expect(sizes.reduce<number>((sum, size) => sum + Number(size), 0)).toBeLessThanOrEqual(1300)
    await store.close?.()
  })

  test("a session with a sid and tokens of the provider takes at most 300 bytes more, for two indexes", async () => {
    const own = `${ownName()}:`
    const store = redisStore(client, { prefix: own })
    const idpSid = "3f0c2a5e-7d51-4c0e-9a53-1c1c2f0d6a11"
    await Promise.all(
      Array.from({ length: 300 }, (_, i) =>
        created(store, { ...realistic, idpSid: `${idpSid}${i}`, grantDueSeconds: 3600 }),
      ),
    )
    const keys = await raw.keys(`${own}[dp]:*`)
    expect(keys).toHaveLength(301)
    const sizes = await Promise.all(keys.map((key) => raw.memory("USAGE", key, "SAMPLES", 0)))
    const each = sizes.reduce<number>((sum, size) => sum + Number(size), 0) / 300
    expect(each).toBeLessThanOrEqual(300)
    await raw.del(...(await raw.keys(`${own}*`)))
    await store.close?.()
  })

  test("an ended session is heard of on another connection, which is closed with the store", async () => {
    const [ending, listening] = [open(), open()]
    const before = await subscribers(raw)
    const heard: string[] = []
    const stop = listening.onRevoked?.((sid) => heard.push(sid))
    await vi.waitFor(async () => expect(await subscribers(raw)).toBe(before + 1), { timeout: 10_000 })
    const { sid } = await created(ending)
    await ending.revoke(sid, "logout")
    await ending.revoke(sid, "again")
    const last = await created(ending)
    await ending.revokeByUser(last.sub, "password")
    await vi.waitFor(() => expect(heard).toEqual([sid, last.sid]), { timeout: 10_000 })
    stop?.()
    await vi.waitFor(async () => expect(await subscribers(raw)).toBe(before), { timeout: 10_000 })
    await Promise.all([ending.close?.(), listening.close?.()])
    expect((await ending.find(sid)).row?.revokedReason).toBe("logout")
  })

  test("R10: what this process ended it ends again when its connection was made anew", async () => {
    const store = open()
    const session = newSession({ sub: `rolled back ${prefix}` })
    await store.create(session)
    const key = `${prefix}s:{${session.sid}}`
    const older = await raw.getBuffer(key)
    await store.revoke(session.sid, "logout")
    await raw.set(key, older ?? "", "KEEPTTL")
    expect((await store.find(session.sid)).row?.revokedAt).toBeNull()
    await raw.call("CLIENT", "KILL", "ID", String(await idOf(client)))
    await vi.waitFor(async () => expect((await store.find(session.sid)).row?.revokedReason).toBe("logout"), {
      timeout: 10_000,
    })
    await store.close?.()
  })

  test("an entry of the index is believed only as far as its row goes", async () => {
    const store = open()
    const mine = await created(store, { sub: `mine ${prefix}` })
    const theirs = await created(store, { sub: `theirs ${prefix}` })
    const later = 4_000_000_000
    await raw.zadd(`${prefix}u:{${mine.sub}}`, later, theirs.sid, later, "of a session that was never made")
    expect((await store.listByUser(mine.sub)).rows.map(({ sid }) => sid)).toEqual([mine.sid])
    expect(await store.revokeByUser(mine.sub, "all")).toEqual([mine.sid])
    expect((await store.find(theirs.sid)).row?.revokedAt).toBeNull()

    const idpSid = `the provider's ${prefix}`
    const before = new Set(await raw.keys(`${prefix}p:*`))
    const one = await created(store, { idpSid })
    const [key = ""] = (await raw.keys(`${prefix}p:*`)).filter((key) => !before.has(key))
    await raw.zadd(key, later, theirs.sid, later, "of a session that was never made")
    expect(await store.revokeByProviderSession(one.idpIss, idpSid, "all")).toEqual([one.sid])
    expect((await store.find(theirs.sid)).row?.revokedAt).toBeNull()
    await store.close?.()
  })

  test("R23: a row of another version is refused, not misread", async () => {
    const store = open()
    const row = await created(store)
    const key = `${prefix}s:{${row.sid}}`
    await raw.setrange(key, 0, "\u0002")
    await expect(store.find(row.sid)).rejects.toThrow(/version 2/)
    await expect(store.advance(stepOf(row, 1))).rejects.toThrow(/version 2/)
    await expect(store.revoke(row.sid, "logout")).rejects.toThrow(/version 2/)
    await expect(leased(store, row)).rejects.toThrow(/version 2/)
    await expect(sealed(store, sealOf(row))).rejects.toThrow(/version 2/)
    await store.close?.()
  })
})

const within = (seconds: number) => (ttl: number) => ttl > seconds - 60 && ttl <= seconds

const subscribers = async (raw: Redis): Promise<number> =>
  Number((await raw.pubsub("NUMSUB", `${prefix}revoked`))[1])

async function idOf(client: Client): Promise<unknown> {
  if ("callBuffer" in client) return client.callBuffer("CLIENT", "ID")
  if ("getMasterNode" in client) return client.sendCommand(false, ["CLIENT", "ID"])
  if ("masters" in client) return client.sendCommand(undefined, false, ["CLIENT", "ID"])
  return client.sendCommand(["CLIENT", "ID"])
}
