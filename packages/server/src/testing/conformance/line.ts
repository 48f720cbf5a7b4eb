import type { Store } from "../../stores/contract.js"
import { advanced, type Case, created, DAY, expect, expectSame, found, id, stepOf } from "./case.js"

/** The compare-and-swap of the session line. */
export const lineCases: Case[] = [
  {
    name: "advance moves the generation, one mark of the ring, and the idle limit",
    needsClock: true,
    async check(store, advanceClock) {
      let row = await created(store)
      advanceClock(60)
      // Once round the ring and on, so that every slot is written and the first ones again.
      for (let gen = 1; gen <= 35; gen++) {
        const before = row
        row = await advanced(store, stepOf(row, gen))
        const history = before.history.slice()
        history.set(new Uint8Array(8).fill(0x80 | gen), (gen % 32) * 8)
        const { now } = await store.find(row.sid)
        const cur = new Uint8Array(32).fill(gen)
        const moved = { gen, cur, history, seenAt: now, idleExpiresAt: now + 30 * DAY }
        expectSame(row, { ...before, ...moved }, `the row of generation ${gen}`)
        expectSame(await found(store, row.sid), row, `the kept row of generation ${gen}`)
      }
    },
  },
  {
    name: "advance takes a whole new ring and a leap of generations",
    async check(store) {
      const row = await created(store)
      const ring = Uint8Array.from({ length: 256 }, (_, i) => 255 - i)
      const leap = { next: { gen: 41, cur: new Uint8Array(32).fill(9) }, history: { ring } }
      const moved = await advanced(store, stepOf(row, 9, leap))
      expectSame([moved.gen, moved.history], [41, ring], "generation and ring")
    },
  },
  {
    name: "of 200 advances that race from one generation one wins, and the rest see its row",
    async check(store) {
      const row = await created(store)
      const racing = Array.from({ length: 200 }, (_, i) => store.advance(stepOf(row, i % 100)))
      const results = await Promise.all(racing)
      const winners = results.filter(({ outcome }) => outcome === "advanced")
      expect(winners.length === 1, `${winners.length} of 200 racing advances won`)
      const kept = await found(store, row.sid)
      expect(kept.gen === 1, `the generation is ${kept.gen} after one advance`)
      for (const result of results) {
        expect(result.outcome !== "missing", "a racing advance missed the row")
        expectSame(result.row.cur, kept.cur, "the row that the losers see")
      }
    },
  },
  {
    name: "advance compares the generation and every byte of cur",
    async check(store) {
      const row = await created(store)
      const last = row.cur.slice()
      last[31] = (last[31] ?? 0) ^ 1
      await refused(store, row.sid, stepOf(row, 1, { expect: { gen: 0, cur: last } }))
      await refused(store, row.sid, stepOf(row, 1, { expect: { gen: 1, cur: row.cur } }))
      await refused(store, row.sid, stepOf(row, 1, { expect: { gen: 0, cur: row.cur.slice(0, 31) } }))
      await refused(store, row.sid, stepOf(row, 1, { expect: { gen: 0, cur: new Uint8Array() } }))
    },
  },
  {
    name: "advance never creates",
    async check(store) {
      const row = await created(store)
      const sid = id()
      const result = await store.advance(stepOf({ ...row, sid }, 1))
      expect(result.outcome === "missing", `advance of an unknown id was "${result.outcome}"`)
      expect((await store.find(sid)).row === null, "advance of an unknown id left a row")
    },
  },
  {
    name: "advance refuses a revoked session and shows why",
    async check(store) {
      const row = await created(store)
      await store.revoke(row.sid, "logout")
      const result = await store.advance(stepOf(row, 1))
      expect(result.outcome === "refused", `advance of a revoked session was "${result.outcome}"`)
      expectSame(result.row.revokedReason, "logout", "revokedReason")
    },
  },
  {
    name: "F13: advance judges the idle limit by the store's clock",
    needsClock: true,
    async check(store, advanceClock) {
      let row = await created(store, { idleSeconds: 100 })
      advanceClock(99)
      row = await advanced(store, stepOf(row, 1, { idleSeconds: 100 }))
      expect(row.seenAt === row.createdAt + 99, "seenAt did not move")
      advanceClock(100)
      await refused(store, row.sid, stepOf(row, 2, { idleSeconds: 100 }))
      await found(store, row.sid)
      expect(!(await store.revoke(row.sid, "logout")), "revoke of an expired session was true")
      expectSame(await store.revokeByUser(row.sub, "logout"), [], "the expired sessions that were ended")
    },
  },
  {
    name: "F13: advance judges the absolute limit, however busy the session is",
    needsClock: true,
    async check(store, advanceClock) {
      let row = await created(store, { idleSeconds: 60, absoluteSeconds: 100 })
      advanceClock(50)
      row = await advanced(store, stepOf(row, 1, { idleSeconds: 60 }))
      expectSame(row.idleExpiresAt, row.absoluteExpiresAt, "idleExpiresAt close to the end")
      advanceClock(50)
      await refused(store, row.sid, stepOf(row, 2, { idleSeconds: 60 }))
    },
  },
  {
    name: "F15: seenAt only moves forward",
    needsClock: true,
    async check(store, advanceClock) {
      const row = await created(store)
      advanceClock(-3600)
      const moved = await advanced(store, stepOf(row, 1))
      expectSame(moved.seenAt, row.seenAt, "seenAt after the clock went back")
      expect(moved.idleExpiresAt <= row.idleExpiresAt, "the idle limit grew by a clock that went back")
    },
  },
]

async function refused(store: Store, sid: string, step: Parameters<Store["advance"]>[0]): Promise<void> {
  const before = await found(store, sid)
  const result = await store.advance(step)
  expect(result.outcome === "refused", `an advance that must be refused was "${result.outcome}"`)
  expectSame(result.row, before, "the row that a refused advance shows")
  expectSame(await found(store, sid), before, "the row after a refused advance")
}
