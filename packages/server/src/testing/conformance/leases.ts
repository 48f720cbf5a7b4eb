import type { GrantState, Store } from "../../stores/contract.js"
import { type Case, created, expect, expectSame, found, id, leased, sealed, sealOf } from "./case.js"

/** Taking the provider's tokens, so that one process refreshes them. */
export const leaseCases: Case[] = [
  {
    name: "of 200 leases that race for one grant one wins, and the rest see its row",
    async check(store) {
      const { sid } = await created(store)
      const racing = Array.from({ length: 200 }, () => store.leaseGrant(sid, { rev: 0, seconds: 600 }))
      const results = await Promise.all(racing)
      const winners = results.filter(({ outcome }) => outcome === "leased")
      expect(winners.length === 1, `${winners.length} of 200 racing leases won`)
      const kept = await found(store, sid)
      expectSame([kept.leaseNumber, kept.grantState], [1, "uncertain"], "number and state after one lease")
      for (const result of results) {
        expect(result.outcome !== "missing", "a racing lease missed the row")
        expectSame(result.row, kept, "the row that the losers see")
      }
    },
  },
  {
    name: "each lease counts up the fencing number, writes the intent and tells the state that it found",
    async check(store) {
      let row = await created(store)
      const steps: [found: GrantState, intent: GrantState][] = [
        ["ok", "uncertain"],
        ["uncertain", "retried"],
        ["retried", "retried"],
        ["refused", "uncertain"],
        ["ok", "uncertain"],
      ]
      for (const [state, grantState] of steps) {
        const free = state === row.grantState ? row : await sealed(store, sealOf(row, { state }))
        const result = await leased(store, free, 90)
        expectSame(result.before, state, "the state before the lease")
        const lease = { leaseNumber: row.leaseNumber + 1, leaseExpiresAt: result.now + 90 }
        expectSame(result.row, { ...free, grantState, ...lease }, `the row that was leased while "${state}"`)
        row = await found(store, row.sid)
        expectSame(row, result.row, `the kept row that was leased while "${state}"`)
        row = await sealed(store, sealOf(row, { state: grantState }))
      }
    },
  },
  {
    name: "leaseGrant compares the revision",
    async check(store) {
      const row = await created(store, { grantRev: 3 })
      await refused(store, row.sid, 2)
      await refused(store, row.sid, 4)
      const { grantRev } = await sealed(store, sealOf(row, { grant: Uint8Array.of(1) }))
      await refused(store, row.sid, 3)
      await leased(store, { ...row, grantRev })
    },
  },
  {
    name: "leaseGrant refuses a grant that is leased, lost or revoked, and a session that has none",
    async check(store) {
      const { row } = await leased(store, await created(store))
      await refused(store, row.sid)
      for (const state of ["lost", "revoked"] as const) {
        await sealed(store, sealOf(row, { state }))
        await refused(store, row.sid)
      }
      await refused(store, (await created(store, { grant: null })).sid)
    },
  },
  {
    name: "leaseGrant refuses a session that has ended",
    async check(store) {
      const { sid } = await created(store)
      await store.revoke(sid, "logout")
      await refused(store, sid)
    },
  },
  {
    name: "leaseGrant never creates",
    async check(store) {
      const sid = id()
      const result = await store.leaseGrant(sid, { rev: 0, seconds: 600 })
      expect(result.outcome === "missing", `leaseGrant of an unknown id was "${result.outcome}"`)
      expect((await store.find(sid)).row === null, "leaseGrant of an unknown id left a row")
    },
  },
  {
    name: "a lease ends with its time, and the next one hears that nobody knows what became of it",
    needsClock: true,
    async check(store, advanceClock) {
      const first = await leased(store, await created(store), 45)
      advanceClock(44)
      await refused(store, first.row.sid)
      advanceClock(1)
      const second = await leased(store, first.row, 45)
      expectSame([first.before, second.before], ["ok", "uncertain"], "the states that two leases found")
      expectSame([second.row.leaseNumber, second.row.grantState], [2, "retried"], "number and state")
      advanceClock(45)
      expectSame((await leased(store, second.row, 45)).before, "retried", "the state that the third found")
    },
  },
  {
    name: "F13: leaseGrant and sealGrant judge the idle limit by the store's clock",
    needsClock: true,
    async check(store, advanceClock) {
      const free = await created(store, { idleSeconds: 100 })
      const held = await created(store, { idleSeconds: 100 })
      advanceClock(99)
      const { row } = await leased(store, held)
      advanceClock(1)
      await refused(store, free.sid)
      const result = await store.sealGrant(sealOf(row, { grant: Uint8Array.of(1) }))
      expect(result.outcome === "refused", `sealGrant of an expired session was "${result.outcome}"`)
      expectSame(await found(store, row.sid), row, "the row after a refused sealGrant")
    },
  },
]

async function refused(store: Store, sid: string, rev = 0): Promise<void> {
  const before = await found(store, sid)
  const result = await store.leaseGrant(sid, { rev, seconds: 600 })
  expect(result.outcome === "refused", `a leaseGrant that must be refused was "${result.outcome}"`)
  expectSame(result.row, before, "the row that a refused leaseGrant shows")
  expectSame(await found(store, sid), before, "the row after a refused leaseGrant")
}
