import { expect, test } from "vitest"
import { created, DAY, newSession, stepOf } from "../testing/conformance/case.js"
import { memoryStore } from "./memory.js"

test("G11: what has expired goes while the store is used, without a call of sweep", async () => {
  let ms = 1_900_000_000_000
  const store = memoryStore({ now: () => ms })
  for (let i = 0; i < 100; i++) {
    await created(store, { absoluteSeconds: 10 })
    await store.claim("jti", `old ${i}`, "x", 10)
  }
  ms += 2 * DAY * 1000
  for (let i = 0; i < 100; i++) {
    await created(store)
    await store.claim("jti", `new ${i}`, "x", 10)
  }
  expect(await store.sweep(1000)).toBe(0)
})

test("an ended session is findable for a day after its absolute limit, so that a late client hears why", async () => {
  let ms = 1_900_000_000_000
  const store = memoryStore({ now: () => ms })
  const { sid } = await created(store, { absoluteSeconds: 10 })
  ms += (10 + DAY - 1) * 1000
  expect(await store.sweep(10)).toBe(0)
  expect((await store.find(sid)).row).not.toBeNull()
  ms += 1000
  expect(await store.sweep(10)).toBe(1)
  expect((await store.find(sid)).row).toBeNull()
})

test("bytes that came in a Buffer are copied too", async () => {
  const store = memoryStore()
  const session = newSession({
    cur: Buffer.alloc(32, 7),
    history: Buffer.alloc(256, 7),
    grant: Buffer.alloc(9, 7),
  })
  const result = await store.create(session)
  if (result.outcome !== "created") throw new Error("not created")
  const next = { gen: 1, cur: Buffer.alloc(32, 8) }
  const ring = Buffer.alloc(256, 8)
  await store.advance(stepOf(result.row, 0, { next, history: { ring } }))
  for (const bytes of [session.grant, next.cur, ring]) bytes?.fill(1)
  const { row } = await store.find(session.sid)
  expect([row?.cur[0], row?.history[0], row?.grant?.[0]]).toEqual([8, 8, 7])
})
