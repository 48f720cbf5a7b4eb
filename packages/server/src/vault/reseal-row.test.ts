import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { GrantState, Store } from "../stores/contract.js"
import { createKeyRing } from "./keyring.js"
import { grantContext, profileContext } from "./provider-tokens.js"
import {
  after,
  before,
  newKid,
  newSecret,
  oldKid,
  oldSecret,
  profile,
  rig,
  tokens,
} from "./reseal.fixture.js"
import { createReseal } from "./reseal.js"

const nothing = { resealed: 0, unreadable: 0, skipped: 0 }

describe("what is in use is left", () => {
  test("a row whose grant is leased", async () => {
    const { login, reseal, row, store } = rig()
    const sid = await login()
    await store.leaseGrant(sid, { rev: 0, seconds: 45 })
    const was = await row(sid)
    expect(await reseal()()).toEqual({ ...nothing, rows: { [oldKid]: 1 }, skipped: 1 })
    expect(await row(sid)).toEqual(was)
  })

  test("R14: a row whose lease has run out, for as long as its holder may still save what it was issued", async () => {
    const { login, reseal, row, store, clock, vaultOf } = rig()
    const [late, dead] = [await login(), await login()]
    for (const sid of [late, dead]) await store.leaseGrant(sid, { rev: 0, seconds: 45 })
    clock.seconds += 45 + 600
    expect(await reseal()()).toMatchObject({ resealed: 0, skipped: 2 })
    const issued = { ...tokens, refresh_token: "rt2" }
    const grant = await vaultOf(before).seal(issued, grantContext({ ...(await row(late)), grantRev: 1 }))
    const save = { sid: late, rev: 0, lease: 1, state: "ok", dueSeconds: 5, grant } as const
    expect(await store.sealGrant(save)).toMatchObject({ outcome: "sealed" })
    clock.seconds += 301
    expect(await reseal()()).toMatchObject({ resealed: 2, skipped: 0, rows: { [newKid]: 2 } })
    expect(await row(dead)).toMatchObject({ grantState: "uncertain", grantRev: 1 })
  })

  /** A store in which something happens right before the first call of this name. */
  const interrupted = (store: Store, name: keyof Store, happening: () => Promise<unknown>): Store => {
    let pending = true
    return new Proxy(store, {
      get(target, member: keyof Store) {
        const method = target[member]
        if (member !== name || !pending || typeof method !== "function") return method
        return async (...args: unknown[]) => {
          pending = false
          await happening()
          return Reflect.apply(method, target, args)
        }
      },
    })
  }

  test.each(["find", "leaseGrant", "sealGrant"] as const)(
    "a refresh that ends right before %s keeps its outcome",
    async (name) => {
      for (const state of ["ok", "revoked"] as const) {
        const { login, reseal, row, store, vaultOf } = rig()
        const sid = await login()
        let leased = false
        const through = interrupted(store, name, async () => {
          const lease = await store.leaseGrant(sid, { rev: 0, seconds: 45 })
          if (lease.outcome !== "leased") return
          leased = true
          const grant = await vaultOf(after).seal(tokens, grantContext({ ...lease.row, grantRev: 1 }))
          const held = { sid, rev: 0, lease: lease.row.leaseNumber, dueSeconds: 9 }
          await store.sealGrant({ ...held, state, ...(state === "ok" && { grant }) })
        })
        await reseal(undefined, through)()
        // By the time of sealGrant the row is held.
        expect(leased).toBe(name !== "sealGrant")
        expect((await row(sid)).grantState).toBe(leased ? state : "ok")
        expect((await row(sid)).leaseExpiresAt).toBe(0)
      }
    },
  )

  test("a refresh that began and died since the row was read is given back as it was", async () => {
    const { login, reseal, row, store, clock } = rig()
    const sid = await login()
    const through = interrupted(store, "leaseGrant", async () => {
      await store.leaseGrant(sid, { rev: 0, seconds: 45 })
      clock.seconds += 46
    })
    expect(await reseal(undefined, through)()).toMatchObject({ resealed: 0, skipped: 1 })
    expect(await row(sid)).toMatchObject({ grantState: "uncertain", grantRev: 0, leaseExpiresAt: 0 })
  })

  test("a profile that was written since the row was read is not overwritten", async () => {
    const { login, reseal, row, opened, store, vaultOf } = rig()
    const sid = await login()
    const renamed = { name: "Countess of Lovelace" }
    const through = interrupted(store, "leaseGrant", async () => {
      const sealed = await vaultOf(after).seal(renamed, profileContext(await row(sid)))
      await store.sealGrant({ sid, rev: 0, lease: 0, state: "ok", dueSeconds: 1, profile: sealed })
    })
    expect(await reseal(undefined, through)()).toMatchObject({ resealed: 0, skipped: 1 })
    await reseal()()
    expect(await opened(sid)).toEqual({ profile: renamed, grant: tokens })
  })

  test("a session that ends meanwhile stays ended", async () => {
    for (const name of ["find", "leaseGrant", "sealGrant"] as const) {
      const { login, reseal, row, store } = rig()
      const sid = await login()
      const through = interrupted(store, name, () => store.revoke(sid, "logout"))
      expect(await reseal(undefined, through)()).toMatchObject({ resealed: 0 })
      expect(await row(sid)).toMatchObject({ revokedReason: "logout", grant: null, grantDueAt: null })
    }
  })
})

test("R14: two walks beside refreshes, in any order of their steps, lose no token set and no state", {
  timeout: 60_000,
}, async () => {
  const step = fc.record({ row: fc.nat(1), state: fc.constantFrom("ok", "refused", "revoked") })
  const steps = fc.array(step as fc.Arbitrary<{ row: number; state: "ok" | "refused" | "revoked" }>, {
    minLength: 1,
    maxLength: 6,
  })
  let [resealed, refreshed] = [0, 0]
  const run = async (
    scheduler: fc.Scheduler,
    script: { row: number; state: "ok" | "refused" | "revoked" }[],
  ) => {
    const { store, vaultOf, login, row, events } = rig()
    const through = scheduled(scheduler, store)
    const sids = [await login(), await login()]
    // Each process takes its own secret for the newest: there is always something to seal anew.
    const vaults = [after, createKeyRing([oldSecret, newSecret], [])].map((ring) => vaultOf(ring))
    const expected = sids.map(() => ({ tokens: tokens as object, state: "ok", due: 1_003_600 }))

    async function refresh(number: number, { row: at, state }: { row: number; state: GrantState }) {
      const [sid, wanted] = [sids[at] ?? "", expected[at]]
      const { row: found } = await through.find(sid)
      if (!found || !wanted) throw new Error("no row")
      const lease = await through.leaseGrant(sid, { rev: found.grantRev, seconds: 45 })
      // A walk holds it, or it has come to its end.
      if (lease.outcome !== "leased") return
      expect(lease.before).toBe(wanted.state)
      const issued = { ...tokens, refresh_token: `rt${number}` }
      const vault = vaults[number % 2] ?? vaultOf(after)
      const grant = await vault.seal(issued, grantContext({ ...lease.row, grantRev: found.grantRev + 1 }))
      const held = { sid, rev: found.grantRev, lease: lease.row.leaseNumber, state, dueSeconds: number }
      Object.assign(wanted, { state, due: 1_000_000 + number, ...(state === "ok" && { tokens: issued }) })
      const saved = await through.sealGrant({ ...held, ...(state === "ok" && { grant }) })
      expect(saved.outcome).toBe("sealed")
      refreshed++
    }

    const walks = vaults.map((vault) =>
      createReseal({ store: through, vault, emit: (event) => void events.push(event) })(),
    )
    const refreshes = (async () => {
      for (const [number, one] of script.entries()) await refresh(number + 1, one)
    })()
    const [first, second] = await scheduler.waitFor(Promise.all([...walks, refreshes] as const))
    resealed += (first?.resealed ?? 0) + (second?.resealed ?? 0)

    for (const [i, sid] of sids.entries()) {
      const is = await row(sid)
      const [wanted, vault] = [expected[i], vaultOf(after)]
      expect([is.grantState, is.grantDueAt, is.leaseExpiresAt]).toEqual([wanted?.state, wanted?.due, 0])
      expect(is.grant && (await vault.open(is.grant, grantContext(is)))).toEqual(wanted?.tokens)
      expect(await vault.open(is.profile, profileContext(is))).toEqual(profile)
    }
    expect(events).toEqual([])
  }
  await fc.assert(fc.asyncProperty(fc.scheduler(), steps, run), { numRuns: 400 })
  // The walks and the refreshes did meet.
  expect([resealed > 400, refreshed > 400]).toEqual([true, true])
})

/** The store, each call of which waits for its turn, before its work and again before its answer. */
function scheduled(scheduler: fc.Scheduler, store: Store): Store {
  return new Proxy(store, {
    get(target, member: keyof Store) {
      const method = target[member]
      if (typeof method !== "function") return method
      return async (...args: unknown[]) => {
        await scheduler.schedule(Promise.resolve(), `${member} goes`)
        const answer: unknown = await Reflect.apply(method, target, args)
        await scheduler.schedule(Promise.resolve(), `${member} comes`)
        return answer
      }
    },
  })
}
