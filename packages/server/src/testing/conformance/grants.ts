import type { SealGrant, Store } from "../../stores/contract.js"
import {
  advanced,
  awkward,
  type Case,
  created,
  expect,
  expectSame,
  found,
  id,
  leased,
  sealed,
  sealOf,
  stepOf,
} from "./case.js"

/** Saving the provider's tokens, the fence in front of them, and the profile. */
export const grantCases: Case[] = [
  {
    name: "sealGrant keeps new tokens under the next revision, with their state and due time, and ends the lease",
    async check(store) {
      let row = await created(store, { grantRev: 7, grantDueSeconds: 60 })
      for (const [i, dueSeconds] of [3600, null, 0].entries()) {
        const held = (await leased(store, row)).row
        const grant = awkward(1234 + i)
        const result = await store.sealGrant(sealOf(held, { grant, dueSeconds }))
        expect(result.outcome === "sealed", `a valid sealGrant was "${result.outcome}"`)
        const grantDueAt = dueSeconds === null ? null : result.now + dueSeconds
        const saved = { grant, grantRev: 8 + i, grantState: "ok", grantDueAt, leaseExpiresAt: 0 }
        expectSame(result.row, { ...held, ...saved }, "the row that sealGrant answers")
        row = await found(store, row.sid)
        expectSame(row, result.row, "the row that sealGrant left")
      }
      expectSame(row.leaseNumber, 3, "the fencing number after three leases")
    },
  },
  {
    name: "sealGrant without tokens keeps them and their revision",
    async check(store) {
      const { row } = await leased(store, await created(store))
      for (const state of ["refused", "uncertain", "retried", "lost", "revoked", "ok"] as const) {
        const back = await sealed(store, sealOf(row, { state }))
        expectSame(back, { ...row, grantState: state, leaseExpiresAt: 0 }, `the row given back as "${state}"`)
        expectSame(await found(store, row.sid), back, `the kept row given back as "${state}"`)
      }
    },
  },
  {
    name: "sealGrant seals the profile anew, with tokens, without, and where there are none",
    async check(store) {
      for (const given of [awkward(40), null]) {
        const row = await created(store, { grant: given })
        const profile = awkward(501)
        const other = await sealed(store, sealOf(row, { profile }))
        expectSame(other, { ...row, profile }, "the row with another profile")
        const grant = awkward(41)
        const both = await sealed(store, sealOf(other, { profile: awkward(0), grant }))
        const wanted = { ...other, profile: awkward(0), grant, grantRev: 1 }
        expectSame(both, wanted, "the row with another profile and other tokens")
        expectSame(await found(store, row.sid), wanted, "the kept row with both")
      }
    },
  },
  {
    name: "of 50 seals that race from one revision one wins, and its tokens are kept",
    async check(store) {
      const { row } = await leased(store, await created(store))
      const seals = Array.from({ length: 50 }, (_, i) => sealOf(row, { grant: Uint8Array.of(i) }))
      const results = await Promise.all(seals.map((seal) => store.sealGrant(seal)))
      const winners = seals.filter((_, i) => results[i]?.outcome === "sealed")
      expect(winners.length === 1, `${winners.length} of 50 sealed the same revision`)
      const kept = await found(store, row.sid)
      expectSame([kept.grantRev, kept.grant], [1, winners[0]?.grant], "revision and tokens")
      for (const result of results) {
        expect(result.outcome !== "missing", "a racing sealGrant missed the row")
        expectSame(result.row, kept, "the row that the losers see")
      }
    },
  },
  {
    name: "a holder that is late is refused while another holds the lease, and after another has saved",
    async check(store) {
      const late = (await leased(store, await created(store))).row
      const free = await sealed(store, sealOf(late, { state: "uncertain" }))
      const { row } = await leased(store, free)
      await refused(store, sealOf(late, { grant: awkward(9) }))
      await refused(store, sealOf(late))
      await sealed(store, sealOf(row, { grant: awkward(8) }))
      await refused(store, sealOf(late, { grant: awkward(9) }))
      await refused(store, sealOf(late))
      await refused(store, sealOf(late, { rev: 2, lease: row.leaseNumber }))
    },
  },
  {
    name: "a holder that is late may save where nobody has saved and nobody holds the lease",
    async check(store) {
      const late = (await leased(store, await created(store))).row
      const { row } = await leased(store, await sealed(store, sealOf(late, { state: "uncertain" })))
      await refused(store, sealOf(late, { grant: awkward(9) }))
      await sealed(store, sealOf(row, { state: "lost" }))
      const { grant, grantRev, grantState, leaseNumber } = await sealed(
        store,
        sealOf(late, { grant: awkward(9) }),
      )
      expectSame([grant, grantRev, grantState, leaseNumber], [awkward(9), 1, "ok", 2], "what was saved late")
    },
  },
  {
    name: "a lease that ran out fences nobody: its holder and the one before may save, until one has",
    needsClock: true,
    async check(store, advanceClock) {
      for (const saves of [0, 1]) {
        const first = (await leased(store, await created(store), 45)).row
        advanceClock(45)
        const second = (await leased(store, first, 45)).row
        advanceClock(44)
        await refused(store, sealOf(first, { grant: awkward(9) }))
        advanceClock(1)
        const order = saves === 0 ? [first, second] : [second, first]
        const [one = first, other = first] = order
        await sealed(store, sealOf(one, { grant: awkward(9) }))
        await refused(store, sealOf(other, { grant: awkward(8) }))
      }
    },
  },
  {
    name: "sealGrant refuses a session that has ended, and brings nothing of it back",
    async check(store) {
      const { row } = await leased(store, await created(store, { grantDueSeconds: 0 }))
      await store.revoke(row.sid, "logout")
      const kept = await found(store, row.sid)
      expectSame([kept.grant, kept.grantDueAt], [null, null], "tokens and due time of an ended session")
      await refused(store, sealOf(row, { grant: awkward(9), profile: awkward(9), dueSeconds: 0 }))
      await refused(store, sealOf(row))
    },
  },
  {
    name: "sealGrant never creates",
    async check(store) {
      const row = await created(store)
      const sid = id()
      const result = await store.sealGrant(sealOf({ ...row, sid }, { grant: awkward(9) }))
      expect(result.outcome === "missing", `sealGrant of an unknown id was "${result.outcome}"`)
      expect((await store.find(sid)).row === null, "sealGrant of an unknown id left a row")
    },
  },
  {
    name: "what a caller does to sealed bytes that it gave or got does not reach the store",
    async check(store) {
      const [grant, profile] = [awkward(30), awkward(31)]
      const { row } = await leased(store, await created(store))
      for (const bytes of [row.grant, row.profile]) bytes?.fill(1)
      const result = await sealed(store, sealOf(row, { grant, profile }))
      for (const bytes of [grant, profile, result.grant, result.profile]) bytes?.fill(1)
      const kept = await found(store, row.sid)
      expectSame([kept.grant, kept.profile], [awkward(30), awkward(31)], "the sealed values of the row")
    },
  },
  {
    name: "the line and the grant of one session move at the same time, and neither loses a step of the other",
    async check(store) {
      const row = await created(store)
      async function line(): Promise<void> {
        let last = row
        for (let gen = 1; gen <= 20; gen++) last = await advanced(store, stepOf(last, gen))
      }
      async function grant(): Promise<void> {
        let last = row
        for (let rev = 1; rev <= 20; rev++) {
          const held = (await leased(store, last)).row
          last = await sealed(store, sealOf(held, { grant: awkward(rev) }))
        }
      }
      await Promise.all([line(), grant()])
      const kept = await found(store, row.sid)
      expectSame([kept.gen, kept.cur], [20, new Uint8Array(32).fill(20)], "the line after 20 steps")
      const { grantRev, leaseNumber, leaseExpiresAt } = kept
      expectSame([grantRev, leaseNumber, leaseExpiresAt], [20, 20, 0], "the grant after 20 refreshes")
      expectSame(kept.grant, awkward(20), "the tokens after 20 refreshes")
    },
  },
]

async function refused(store: Store, seal: SealGrant): Promise<void> {
  const before = await found(store, seal.sid)
  const result = await store.sealGrant(seal)
  expect(result.outcome === "refused", `a sealGrant that must be refused was "${result.outcome}"`)
  expectSame(result.row, before, "the row that a refused sealGrant shows")
  expectSame(await found(store, seal.sid), before, "the row after a refused sealGrant")
}
