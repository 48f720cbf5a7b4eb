import { beforeEach, describe, expect, it, vi } from "vitest"
import { PkceError, ProviderError } from "../../src/errors.js"
import type { Store } from "../../src/stores/contract.js"
import {
  createGrantRig,
  failureOf,
  type GrantRig,
  gate,
  lost,
  ROTATION,
  unreachable,
} from "../support/grants.js"

let rig: GrantRig
beforeEach(() => {
  rig = createGrantRig()
})

const types = () => rig.events.map(({ type }) => type)
const state = async (sid: string) => (await rig.store.find(sid)).row?.grantState

/** A store whose `sealGrant` is away until it is mended. */
function flaky(store: Store) {
  const fault = { on: true, failures: 0 }
  const sealGrant: Store["sealGrant"] = async (seal) => {
    if (!fault.on) return store.sealGrant(seal)
    fault.failures++
    throw new Error("the store is away")
  }
  return { fault, store: { ...store, sealGrant } }
}

describe("what the provider has issued is kept until it is saved", () => {
  it("while the store is away this process uses it, and does not ask again", async () => {
    const sid = await rig.login()
    const { fault, store } = flaky(rig.store)
    const process = rig.process({ store })
    const token = await process.accessToken(sid)
    expect(await process.accessToken(sid)).toBe(token)
    expect((await rig.sealed(sid)).access_token).not.toBe(token)
    expect(rig.asked).toHaveLength(1)
    await expect.poll(() => fault.failures).toBeGreaterThan(3)
    fault.on = false
    await process.settled()
    expect((await rig.sealed(sid)).access_token).toBe(token)
    expect(await state(sid)).toBe("ok")
    expect(fault.failures).toBeGreaterThan(1)
    expect(types().filter((type) => type !== "store.failed")).toEqual(["idp.refresh.succeeded"])
  })

  it("F10: while the keys that seal cannot be had nothing is spent, and what is still good is given", async () => {
    const sid = await rig.login(30)
    const process = rig.process()
    rig.unready = new PkceError("unavailable", { reason: "key_provider_failed" })
    expect(await process.accessToken(sid)).toBe((await rig.sealed(sid)).access_token)
    rig.clock.seconds += 30
    expect(await failureOf(process.accessToken(sid))).toBe("unavailable key_provider_failed")
    expect(rig.asked).toHaveLength(0)
    rig.unready = null
    await process.accessToken(sid)
    expect(await state(sid)).toBe("ok")
  })

  it("F10: a refresh seals all of the row anew, where an older secret had", async () => {
    const sid = await rig.login(0)
    const sealedWith = async () => {
      const { row } = await rig.store.find(sid)
      return [row?.profile, row?.grant].map((bytes) => rig.vault.sealedWith(bytes ?? new Uint8Array()))
    }
    const [before] = await sealedWith()
    rig.clock.seconds += ROTATION
    const process = rig.process()
    await process.accessToken(sid)
    const after = await sealedWith()
    expect(after[0]).not.toBe(before)
    expect(after[1]).toBe(after[0])
    expect(await process.claims(sid)).toEqual({ name: "Ada" })
  })

  it("R25: whoever closes waits for a refresh that somebody asked for, and for its save", async () => {
    const sid = await rig.login()
    const { opened, open } = gate()
    rig.answers.push(async (_, usual) => {
      await opened
      return usual()
    })
    const process = rig.process()
    const token = process.accessToken(sid)
    await expect.poll(() => rig.asked.length).toBe(1)
    let closed = false
    const closing = process.settled().then(() => {
      closed = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(closed).toBe(false)
    open()
    await closing
    expect((await rig.sealed(sid)).access_token).toBe(await token)
  })

  it("for ten minutes; then it is given up, and told", async () => {
    const sid = await rig.login()
    const { store } = flaky(rig.store)
    let now = performance.now()
    const clock = vi.spyOn(performance, "now").mockImplementation(() => now)
    const process = rig.process({ store, onPause: () => (now += 5000) })
    await process.accessToken(sid)
    await process.settled()
    clock.mockRestore()
    expect(process.pauses.length).toBeGreaterThanOrEqual(120)
    expect(rig.events).toContainEqual(
      expect.objectContaining({ type: "idp.refresh.failed", reason: "not_saved", session_id: sid }),
    )
  })

  it("a session that ended meanwhile does not come back, and the new refresh token is revoked at the provider", async () => {
    const sid = await rig.login()
    const { opened, open } = gate()
    rig.answers.push(async (_, usual) => {
      const issued = usual()
      await opened
      return issued
    })
    const process = rig.process()
    const token = failureOf(process.accessToken(sid))
    await expect.poll(() => rig.asked.length).toBe(1)
    await rig.store.revoke(sid, "logout")
    open()
    expect(await token).toBe("session_revoked undefined")
    await process.settled()
    expect(rig.revoked).toHaveLength(1)
    expect(rig.revoked[0]).not.toBe(rig.asked[0]?.tokens.refresh_token)
    expect((await rig.store.find(sid)).row?.grant).toBeNull()
  })
})

describe("D12: a provider that fails again and again", () => {
  it("D12: is left alone for a while, then asked by one, and by all once it answers", async () => {
    const process = rig.process()
    const sids = await Promise.all(Array.from({ length: 20 }, () => rig.login()))
    for (const sid of sids.slice(0, 5)) {
      rig.answers.push(unreachable)
      await failureOf(process.accessToken(sid))
    }
    expect(types()).toContain("idp.circuit.opened")
    expect(await failureOf(process.accessToken(sids[5] ?? ""))).toBe("idp_unavailable circuit_open")
    expect(rig.asked).toHaveLength(5)

    rig.clock.seconds += 6
    const { opened, open } = gate()
    rig.answers.push(async () => {
      await opened
      return unreachable()
    })
    const probe = failureOf(process.accessToken(sids[6] ?? ""))
    await expect.poll(() => rig.asked.length).toBe(6)
    expect(await failureOf(process.accessToken(sids[7] ?? ""))).toBe("idp_unavailable circuit_open")
    open()
    expect(await probe).toBe("idp_unavailable connect")
    expect(rig.asked).toHaveLength(6)

    rig.clock.seconds += 11
    await process.accessToken(sids[8] ?? "")
    await Promise.all(sids.slice(9).map((sid) => process.accessToken(sid)))
    expect(rig.asked).toHaveLength(6 + 12)
    expect(types()).toContain("idp.circuit.closed")
  })

  it("D12: however many fail at once, it is one failure more, not many", async () => {
    const process = rig.process()
    const sids = await Promise.all(Array.from({ length: 30 }, () => rig.login()))
    const { opened, open } = gate()
    for (const _sid of sids)
      rig.answers.push(async () => {
        await opened
        return unreachable()
      })
    const all = sids.map((sid) => failureOf(process.accessToken(sid)))
    await expect.poll(() => rig.asked.length).toBe(30)
    open()
    await Promise.all(all)
    rig.clock.seconds += 6
    expect(await failureOf(process.accessToken(await rig.login()))).toBe("none")
  })

  it("D12: a probe that never reaches the provider leaves its place to the next", async () => {
    const [lostOne, leased, unread, last] = await Promise.all(Array.from({ length: 4 }, () => rig.login()))
    const away = { ...rig.store, leaseGrant: () => Promise.reject(new Error("the store is away")) }
    const process = rig.process()
    for (let i = 0; i < 5; i++) {
      rig.answers.push(unreachable)
      await failureOf(process.accessToken(await rig.login()))
    }
    const asked = rig.asked.length
    rig.clock.seconds += 60
    // One whose retry has died already, one that another process holds, one whose lease the store does not give.
    for (const _again of [1, 2]) {
      await rig.store.leaseGrant(lostOne ?? "", { rev: 0, seconds: 1 })
      rig.clock.seconds += 1
    }
    expect(await failureOf(process.accessToken(lostOne ?? ""))).toBe("reauthentication_required lost")
    await rig.store.leaseGrant(leased ?? "", { rev: 0, seconds: 45 })
    expect(await failureOf(process.accessToken(leased ?? ""))).toBe("idp_unavailable leased")
    const { leaseGrant } = rig.store
    rig.store.leaseGrant = away.leaseGrant
    expect(await failureOf(process.accessToken(unread ?? ""))).toBe("unavailable store_failed")
    rig.store.leaseGrant = leaseGrant
    expect(rig.asked).toHaveLength(asked)
    expect(await failureOf(process.accessToken(last ?? ""))).toBe("none")
  })

  it("D12: a scope that it does not know is no failure of its, and moves nothing of the login's tokens", async () => {
    const process = rig.process()
    const sid = await rig.login(3600)
    const due = (await rig.store.find(sid)).row?.grantDueAt
    for (let i = 0; i < 10; i++) {
      rig.answers.push(() => {
        throw new ProviderError("idp_bad_response", false, { reason: "token_request_rejected" })
      })
      expect(await failureOf(process.accessToken(sid, { scope: "nonsense" }))).toMatch(/^idp_bad_response/)
    }
    expect(types()).not.toContain("idp.circuit.opened")
    expect((await rig.store.find(sid)).row).toMatchObject({ grantDueAt: due, grantState: "ok" })
  })

  it("D12: and names a time: it is not asked before that", async () => {
    const process = rig.process()
    const [first, second] = [await rig.login(), await rig.login()]
    rig.answers.push(() => {
      throw new ProviderError("idp_unavailable", false, { reason: "rate_limited", retryAfter: 40 })
    })
    await failureOf(process.accessToken(first))
    rig.clock.seconds += 39
    expect(await failureOf(process.accessToken(second))).toBe("idp_unavailable circuit_open")
    rig.clock.seconds += 1
    await process.accessToken(second)
    expect(rig.asked).toHaveLength(2)
  })

  it("an hour of outage in the background ends no session and loses no grant", async () => {
    const sids = await Promise.all(Array.from({ length: 30 }, () => rig.login(100)))
    const { background } = rig.process()
    for (let minute = 0; minute < 60; minute++) {
      rig.answers.push(...Array.from({ length: 40 }, () => (minute % 3 ? unreachable : lost)))
      const report = await background.refreshDue()
      expect(report.refreshed + report.ended).toBe(0)
      rig.answers.length = 0
      rig.clock.seconds += 60
    }
    expect(rig.asked.length).toBeLessThan(200)
    rig.clock.seconds += 300
    // The first is the probe; the others follow when it has answered.
    await background.refreshDue({ concurrency: 1 })
    await background.refreshDue({ concurrency: 1 })
    expect(await Promise.all(sids.map(state))).toEqual(sids.map(() => "ok"))
    expect(rig.ended).toEqual([])
  })
})
