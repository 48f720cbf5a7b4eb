import { Redis } from "ioredis"
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest"
import { findRedis, notRun, ownName } from "../../test/support/services.js"
import { created, DAY, leased, newSession, sealed, sealOf } from "../testing/conformance/case.js"
import type { Store } from "./contract.js"
import { redisStore } from "./redis.js"
import { watched } from "./redis-drivers.fixture.js"
import { SCRIPTS } from "./redis-scripts.js"

const service = await findRedis()
if (!service) notRun("the due index in Redis")

describe.runIf(service)("the due index in Redis", () => {
  const raw = new Redis(service?.url ?? "")
  const prefixes: string[] = []
  let prefix: string
  let key: string
  let seconds: number
  let store: Store
  const stores: Store[] = []
  const now = () => seconds * 1000

  // An index of its own for each test: there is one for all sessions.
  beforeEach(() => {
    prefix = `${ownName()}:`
    prefixes.push(prefix)
    key = `${prefix}d:{due}`
    seconds = 1_900_000_000
    store = redisStore(raw, { prefix, now })
    stores.push(store)
  })
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close?.()
  })
  afterAll(async () => {
    for (const prefix of prefixes) {
      const keys = await raw.keys(`${prefix}*`)
      if (keys.length > 0) await raw.del(...keys)
    }
    raw.disconnect()
    await service?.close()
  })

  const scoreOf = async (sid: string) => {
    const score = await raw.zscore(key, sid)
    return score === null ? null : Number(score)
  }
  const dueIn = async (within: number, limit = 100) =>
    (await store.due(within, limit)).rows.map(({ sid }) => sid)

  /** A store whose commands are noted, and wait where `before` says so. */
  function noting(before: (script: keyof typeof SCRIPTS | undefined) => Promise<unknown> | undefined): Store {
    const client = watched(raw, "callBuffer", ([, sha1]) =>
      before((Object.keys(SCRIPTS) as (keyof typeof SCRIPTS)[]).find((name) => SCRIPTS[name].sha1 === sha1)),
    )
    const noted = redisStore(client, { prefix, now })
    stores.push(noted)
    return noted
  }

  test("an entry is there before its row: nobody can crash in between", async () => {
    const order: unknown[] = []
    const own = noting((script) => void order.push(script))
    const row = await created(own, { grantDueSeconds: 60 })
    const held = (await leased(own, row)).row
    await sealed(own, sealOf(held, { dueSeconds: 60 }))
    const steps = order.filter((script) => script !== undefined)
    expect(steps).toEqual(["enlist", "schedule", "create", "lease", "schedule", "seal"])
  })

  test("an entry is believed only as far as its row goes, and put right", async () => {
    const over = await created(store, { grantDueSeconds: 0 })
    await store.revoke(over.sid, "logout")
    const expired = await created(store, { grantDueSeconds: 0, idleSeconds: 50 })
    const off = await created(store, { grantDueSeconds: 0 })
    await sealed(store, sealOf(off, { dueSeconds: 7200 }))
    const never = await created(store, { grantDueSeconds: 0 })
    await sealed(store, sealOf(never))
    const held = await created(store, { grantDueSeconds: 0 })
    await leased(store, held)
    const heldOff = await created(store, { grantDueSeconds: 0 })
    await leased(store, await sealed(store, sealOf(heldOff, { dueSeconds: 7200 })))
    const due = await created(store, { grantDueSeconds: 0 })
    seconds += 50
    expect(await dueIn(0)).toEqual([due.sid])
    for (const { sid } of [over, expired, never]) expect(await scoreOf(sid)).toBeNull()
    expect(await scoreOf(off.sid)).toBe(off.createdAt + 7200)
    expect(await scoreOf(held.sid)).toBe(held.createdAt)
    // Whoever holds the lease will say when it is due.
    expect(await scoreOf(heldOff.sid)).toBe(heldOff.createdAt - 1)
    expect(await scoreOf(due.sid)).toBe(due.createdAt)
  })

  test("a row that is about to be written keeps its entry", async () => {
    const session = newSession({ grantDueSeconds: 0 })
    const other = store
    let looked = 0
    const own = noting((script) => {
      if (script !== "create") return undefined
      return other.due(0, 10).then(({ rows }) => {
        looked++
        expect(rows).toEqual([])
      })
    })
    await own.create(session)
    expect(looked).toBe(1)
    expect(await dueIn(0)).toEqual([session.sid])
    await raw.zadd(key, seconds, "never written")
    seconds += 899
    await dueIn(0)
    expect(await scoreOf("never written")).not.toBeNull()
    seconds += 1
    await dueIn(0)
    expect(await scoreOf("never written")).toBeNull()
  })

  test.each([
    ["later", 7200],
    ["never", null],
  ])(
    "an entry that says too early of a row due %s is not put right over what a refresh wrote since",
    async (_, put) => {
      const row = await created(store, { grantDueSeconds: 0 })
      await sealed(store, sealOf(row, { dueSeconds: put }))
      let amended = 0
      const reader = noting((script) => {
        if (script !== "amend") return undefined
        amended++
        return leased(store, row).then(({ row: held }) => sealed(store, sealOf(held, { dueSeconds: 30 })))
      })
      expect((await reader.due(0, 10)).rows).toEqual([])
      expect(amended).toBe(1)
      seconds += 30
      expect(await dueIn(0)).toEqual([row.sid])
    },
  )

  test("what is leased, unborn or wrong stands in nobody's way", async () => {
    const held = Array.from({ length: 120 }, () => created(store, { grantDueSeconds: 0 }))
    for (const row of await Promise.all(held)) await leased(store, row, 45)
    const off = await Promise.all(Array.from({ length: 120 }, () => created(store, { grantDueSeconds: 1 })))
    await Promise.all(off.map((row) => sealed(store, sealOf(row, { dueSeconds: 7200 }))))
    await raw.zadd(key, ...Array.from({ length: 120 }, (_, i) => [seconds + 1, `unborn ${i}`]).flat())
    const due = await created(store, { grantDueSeconds: 2 })
    seconds += 2
    expect(await dueIn(0, 1)).toEqual([due.sid])
  })

  test("one call looks at so many entries and no more", async () => {
    await raw.zadd(key, ...Array.from({ length: 1500 }, (_, i) => [seconds, `unborn ${i}`]).flat())
    const due = await created(store, { grantDueSeconds: 1 })
    let finds = 0
    const own = noting((script) => void (script === "find" && finds++))
    seconds += 1
    expect((await own.due(0, 1)).rows).toEqual([])
    expect(finds).toBe(1000)
    // Nobody writes these rows any more: each call puts some away, until the one behind them is found.
    seconds += 900
    const found: string[][] = []
    for (let i = 0; i < 2; i++) found.push(await dueIn(0, 1))
    expect(found).toEqual([[], [due.sid]])
  })

  test("the earliest are the earliest by their rows, not by their entries", async () => {
    const early = await created(store, { grantDueSeconds: 0 })
    await sealed(store, sealOf(early, { dueSeconds: 500 }))
    const later = await created(store, { grantDueSeconds: 100 })
    expect(await dueIn(600, 1)).toEqual([later.sid])
    expect(await dueIn(600)).toEqual([later.sid, early.sid])
    const many = await Promise.all(
      Array.from({ length: 150 }, (_, i) => created(store, { grantDueSeconds: 200 + i })),
    )
    // The entry is the first, and its row the last of all.
    await raw.zadd(key, seconds - 10, early.sid)
    const wanted = [later, ...many].slice(0, 151).map(({ sid }) => sid)
    expect(await dueIn(600, 151)).toEqual(wanted)
  })

  test("the key lives as long as a session whose grant may be due, and no later one shortens it", async () => {
    await created(store, { grantDueSeconds: 60, absoluteSeconds: 400 * DAY })
    const ttl = async () => (await raw.ttl(key)) / DAY
    expect(await ttl()).toBeCloseTo(400, 1)
    const row = await created(store, { grantDueSeconds: 60, absoluteSeconds: DAY })
    await sealed(store, sealOf(row, { dueSeconds: 60 }))
    await dueIn(3600)
    expect(await ttl()).toBeCloseTo(400, 1)
    await raw.del(key)
    await sealed(store, sealOf(row, { dueSeconds: 60 }))
    expect(await ttl()).toBeCloseTo(90, 1)
  })

  test("where nobody asks what is due, logins remove what was due longer ago than a session lives", async () => {
    const old = await Promise.all(
      Array.from({ length: 10 }, () => created(store, { grantDueSeconds: 60, absoluteSeconds: 200 * DAY })),
    )
    const size = () => raw.zcard(key)
    seconds += 200 * DAY + 60
    const row = await created(store, { grantDueSeconds: 60, absoluteSeconds: 200 * DAY })
    expect(await size()).toBe(old.length + 1)
    seconds += 1
    for (let i = 0; i < 3; i++) await created(store, { grantDueSeconds: 60, absoluteSeconds: 200 * DAY })
    expect(await size()).toBe(4)
    expect(await scoreOf(row.sid)).not.toBeNull()
    // A refresh knows of one session only, and not how long others live.
    seconds += 100 * DAY
    await sealed(store, sealOf(await created(store, { grantDueSeconds: null }), { dueSeconds: 60 }))
    expect(await size()).toBe(5)
  })
})
