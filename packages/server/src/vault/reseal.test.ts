import { describe, expect, test } from "vitest"
import type { KeyProvider } from "../key-provider.js"
import type { GrantState } from "../stores/contract.js"
import { createKeyRing } from "./keyring.js"
import { grantContext } from "./provider-tokens.js"
import { after, before, entry, newKid, newSecret, oldKid, profile, rig, tokens } from "./reseal.fixture.js"

const nothing = { resealed: 0, unreadable: 0, skipped: 0 }

describe("F10: the key ring's walk", () => {
  test("every session moves to the new secret, and the old one is then needed by none", async () => {
    const { login, reseal, opened, events } = rig()
    const sids: string[] = []
    // More than two pages.
    for (let i = 0; i < 230; i++) sids.push(await login())
    expect(await reseal()({ limit: 0 })).toEqual({ ...nothing, rows: { [oldKid]: 230 }, skipped: 230 })
    expect(await reseal()({ limit: 100 })).toEqual({
      ...nothing,
      rows: { [oldKid]: 130, [newKid]: 100 },
      resealed: 100,
      skipped: 130,
    })
    expect(await reseal()()).toEqual({ ...nothing, rows: { [newKid]: 230 }, resealed: 130 })
    expect(await reseal()()).toEqual({ ...nothing, rows: { [newKid]: 230 } })
    for (const sid of sids) expect(await opened(sid)).toEqual({ profile, grant: tokens })
    expect(events).toEqual([])
  })

  test("nothing of a row changes but what is sealed, and the revision of the grant (G4)", async () => {
    const { login, reseal, row, clock } = rig()
    const sid = await login()
    const { profile: _, grant: __, ...was } = await row(sid)
    clock.seconds += 100
    await reseal()()
    const { profile: ___, grant: ____, ...is } = await row(sid)
    // The lease of its own is given back.
    expect(is).toEqual({ ...was, grantRev: was.grantRev + 1, leaseNumber: was.leaseNumber + 1 })
  })

  test.each<GrantState>(["refused", "lost", "revoked", "uncertain", "retried"])(
    "a grant that is %s stays it, and its due time stays",
    async (state) => {
      const { login, reseal, row, opened, store, clock } = rig()
      const sid = await login()
      await store.sealGrant({ sid, rev: 0, lease: 0, state, dueSeconds: 77 })
      clock.seconds += 20
      expect(await reseal()()).toMatchObject({ resealed: 1, skipped: 0 })
      expect(await row(sid)).toMatchObject({
        grantState: state,
        grantDueAt: clock.seconds + 57,
        grantRev: 1,
        leaseExpiresAt: 0,
      })
      expect(await opened(sid)).toEqual({ profile, grant: tokens })
    },
  )

  test("a session without tokens, and one whose grant is new already, get a new profile", async () => {
    const { login, reseal, row, opened, store, vaultOf } = rig()
    const bare = await login(undefined, { grant: null, due: null })
    const half = await login()
    const grant = await vaultOf(after).seal(tokens, grantContext({ ...(await row(half)), grantRev: 1 }))
    await store.sealGrant({ sid: half, rev: 0, lease: 0, state: "ok", dueSeconds: 5, grant })
    expect(await reseal()({ limit: 0 })).toMatchObject({ rows: { [oldKid]: 2, [newKid]: 1 } })
    expect(await reseal()()).toEqual({ ...nothing, rows: { [newKid]: 2 }, resealed: 2 })
    expect(await opened(bare)).toEqual({ profile, grant: null })
    expect(await opened(half)).toEqual({ profile, grant: tokens })
    expect(await row(half)).toMatchObject({ grantRev: 1 })
  })

  test("sessions that have ended are neither counted nor written", async () => {
    const { login, reseal, row, store, clock } = rig()
    const [gone, idle] = [await login(), await login()]
    await store.revoke(gone, "logout")
    clock.seconds += 30 * 86_400
    const were = [await row(gone), await row(idle)]
    expect(await reseal()()).toEqual({ ...nothing, rows: {} })
    expect([await row(gone), await row(idle)]).toEqual(were)
  })
})

describe("G2, G6: what does not open", () => {
  test("a changed value is told and kept, and the rest of its row is sealed anew", async () => {
    const { login, reseal, row, store, events } = rig()
    const sid = await login()
    const grant = new Uint8Array((await row(sid)).grant ?? [])
    grant[60] = (grant[60] ?? 0) ^ 1
    await store.sealGrant({ sid, rev: 0, lease: 0, state: "ok", dueSeconds: 5, grant })
    expect(await reseal()()).toEqual({ rows: { [newKid]: 1 }, resealed: 1, unreadable: 1, skipped: 0 })
    expect((await row(sid)).grant).toEqual(grant)
    expect(events).toMatchObject([{ type: "store.tamper", session_id: sid, sub: (await row(sid)).sub }])
  })

  test("what is no sealed value at all is told as well", async () => {
    const { login, reseal, row, store, events } = rig()
    const sid = await login()
    await store.sealGrant({ sid, rev: 0, lease: 0, state: "ok", dueSeconds: 5, grant: new Uint8Array(50) })
    expect(await reseal()()).toMatchObject({ rows: { [newKid]: 1 }, resealed: 1, unreadable: 1 })
    expect(events).toMatchObject([{ type: "store.tamper", session_id: sid }])
    expect((await row(sid)).grant).toEqual(new Uint8Array(50))
  })

  test("a retired key is no tampering, and its rows are kept", async () => {
    const { login, reseal, row, events, vaultOf } = rig()
    const sid = await login()
    const was = await row(sid)
    const retired = vaultOf(createKeyRing([newSecret], [oldKid]))
    expect(await reseal(retired)()).toEqual({ ...nothing, rows: {}, unreadable: 1 })
    expect(await row(sid)).toEqual(was)
    expect(events).toEqual([])
  })

  test("a key that is missing here is told once, its rows are counted and left, and the others go on", async () => {
    const { login, reseal, events, vaultOf } = rig()
    const strange = createKeyRing([entry("strange")], [])
    for (let i = 0; i < 5; i++) await login(vaultOf(strange))
    await login()
    const kid = await strange.active()
    const found = { rows: { [kid]: 5, [newKid]: 1 }, resealed: 1, unreadable: 0, skipped: 5 }
    expect(await reseal()()).toEqual(found)
    expect(events).toMatchObject([{ type: "keyring.missing", kid }])
  })
})

describe("with a key provider", () => {
  const keyOf = (id: string) => new Uint8Array(32).fill(id.charCodeAt(0))
  const kms = (change: Partial<KeyProvider> = {}): KeyProvider => ({
    current: async () => ({ id: "kms", key: keyOf("kms") }),
    find: async (id) => keyOf(id),
    ...change,
  })

  test("sessions move to it, and back", async () => {
    const { login, reseal, opened, vaultOf } = rig()
    const sids = [await login(), await login()]
    const there = await reseal(vaultOf(before, kms()))()
    expect(there).toEqual({ ...nothing, rows: { "key-provider:kms": 2 }, resealed: 2 })
    const back = await reseal(vaultOf(before, kms({ current: async () => null })))()
    expect(back).toEqual({ ...nothing, rows: { [oldKid]: 2 }, resealed: 2 })
    for (const sid of sids) expect(await opened(sid, before)).toEqual({ profile, grant: tokens })
  })

  test("data keys are counted by what wraps them, and one that is unknown does not stop the others", async () => {
    const { login, reseal, vaultOf, events } = rig()
    const wrapped = (id: string) => kms({ current: async () => ({ id, key: keyOf(id) }) })
    for (const id of ["1.a", "1.b", "1.b", "1.c"]) await login(vaultOf(before, wrapped(id)))
    const provider: KeyProvider = {
      current: async () => ({ id: "2.a", key: keyOf("2.a") }),
      find: async (id) => (id === "1.b" ? "unknown" : keyOf(id)),
      wrappedBy: (id) => `wrapper-${id[0]}`,
    }
    expect(await reseal(vaultOf(before, provider))()).toEqual({
      rows: { "key-provider:wrapper-1": 2, "key-provider:wrapper-2": 2 },
      resealed: 2,
      unreadable: 0,
      skipped: 2,
    })
    expect(events).toMatchObject([{ type: "keyring.missing", kid: "key-provider:wrapper-1" }])
  })

  test("a key that the provider fails at is left; where it fails again and again the walk ends", async () => {
    const { login, reseal, vaultOf, events, store } = rig()
    const failing = ["x1", "x2"]
    const flaky = kms({
      find: async (id) => (failing.includes(id) ? Promise.reject(new Error(id)) : keyOf(id)),
    })
    const wrapped = (id: string) => kms({ current: async () => ({ id, key: keyOf(id) }) })
    // Both keys fail nine times, but never ten times one after the other.
    const inOrder = ["x1", "x2", "x1", "x2", "y", "x1", "x2", "x1", "x2", "z", "x1"]
    for (const [i, id] of inOrder.entries())
      await login(vaultOf(before, wrapped(id)), { sid: String.fromCharCode(65 + i) })
    expect(await reseal(vaultOf(before, flaky))()).toMatchObject({ resealed: 2, skipped: 9 })
    expect(events.every(({ type }) => type === "keyring.failed")).toBe(true)
    events.length = 0
    const down = kms({ find: async () => Promise.reject(new Error()) })
    for (let i = 0; i < 30; i++) await login(vaultOf(before, wrapped(`w${i}`)))
    await expect(reseal(vaultOf(before, down))()).rejects.toMatchObject({
      code: "unavailable",
      reason: "key_provider_failed",
    })
    expect(events.length).toBe(10)
    expect((await store.scan(null, 100)).rows.length).toBe(41)
  })

  test("without a key to seal with, nothing is read", async () => {
    const { reseal, vaultOf, store } = rig()
    const down = vaultOf(before, kms({ current: async () => Promise.reject(new Error()) }))
    const unread = new Proxy(store, {
      get() {
        throw new Error("asked the store")
      },
    })
    await expect(reseal(down, unread)()).rejects.toMatchObject({ reason: "key_provider_failed" })
  })
})
