import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { createGrantRig, type GrantRig } from "../support/grants.js"

let rig: GrantRig
beforeEach(() => {
  rig = createGrantRig()
})
afterEach(() => {
  vi.useRealTimers()
})

const state = async (sid: string) => (await rig.store.find(sid)).row?.grantState

describe("refreshDueGrants", () => {
  it("refreshes what ends within the time, and nothing else", async () => {
    const soon = await rig.login(299)
    const later = await rig.login(301)
    const never = await rig.login(10, { refresh_token: undefined } as never)
    const { background } = rig.process()
    const report = await background.refreshDue({ within: 300 })
    expect(report).toEqual({ due: 1, refreshed: 1, elsewhere: 0, failed: 0, ended: 0 })
    const revs = await Promise.all(
      [soon, later, never].map(async (sid) => (await rig.store.find(sid)).row?.grantRev),
    )
    expect(revs).toEqual([1, 0, 0])
    expect((await background.refreshDue({ within: 300 })).due).toBe(0)
  })

  it("several workers share the load, and do nothing twice", async () => {
    await Promise.all(Array.from({ length: 100 }, () => rig.login()))
    const workers = Array.from({ length: 5 }, () => rig.process())
    const reports = await Promise.all(workers.map(({ background }) => background.refreshDue()))
    expect(rig.asked).toHaveLength(100)
    expect(reports.reduce((sum, { refreshed }) => sum + refreshed, 0)).toBe(100)
    expect(reports.filter(({ refreshed }) => refreshed > 0).length).toBeGreaterThan(1)
  })

  it("never has more under way than it is told", async () => {
    await Promise.all(Array.from({ length: 40 }, () => rig.login()))
    let running = 0
    let most = 0
    for (let i = 0; i < 40; i++)
      rig.answers.push(async (_, usual) => {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setImmediate(resolve))
        running--
        return usual()
      })
    await rig.process().background.refreshDue({ concurrency: 3 })
    expect(most).toBe(3)
  })

  it("H3: learns of a user whom the provider has disabled, without anybody asking for a token", async () => {
    const sid = await rig.login()
    const { background } = rig.process({ onProviderGrantRevoked: "revoke-session" })
    rig.answers.push(
      () => ({ outcome: "refused" }),
      () => ({ outcome: "refused" }),
    )
    expect(await background.refreshDue()).toMatchObject({ failed: 1, ended: 0 })
    rig.clock.seconds += 5
    expect(await background.refreshDue()).toMatchObject({ failed: 0, ended: 1 })
    expect(rig.ended).toEqual([{ sid, reason: "provider_grant_revoked" }])
    expect((await background.refreshDue()).due).toBe(0)
  })

  it("G2: one grant that does not open keeps the others from nothing, and is told", async () => {
    const broken = await rig.login()
    const sids = await Promise.all([rig.login(), rig.login()])
    const { row } = await rig.store.find(broken)
    const grant = new Uint8Array(row?.grant ?? [])
    grant[grant.length - 1] = (grant.at(-1) ?? 0) ^ 1
    await rig.store.leaseGrant(broken, { rev: 0, seconds: 1 })
    await rig.store.sealGrant({ sid: broken, rev: 0, lease: 1, state: "ok", dueSeconds: 0, grant })
    expect(await rig.process().background.refreshDue()).toMatchObject({ due: 3, refreshed: 2, failed: 1 })
    expect(await Promise.all(sids.map(state))).toEqual(["ok", "ok"])
    expect(rig.events).toContainEqual(expect.objectContaining({ type: "store.tamper", session_id: broken }))
  })
})

describe("startBackgroundRefresh", () => {
  it("looks at once and then again and again, until it is stopped", async () => {
    vi.useFakeTimers()
    const first = await rig.login()
    const { background } = rig.process()
    const stop = background.start({ every: 60 })
    await vi.waitFor(async () => expect(await state(first)).toBe("ok") ?? expect(rig.asked).toHaveLength(1))
    await rig.login()
    await vi.advanceTimersByTimeAsync(80_000)
    expect(rig.asked).toHaveLength(2)
    await stop()
    await rig.login()
    await vi.advanceTimersByTimeAsync(300_000)
    expect(rig.asked).toHaveLength(2)
  })

  it("goes on after a look that failed, and `close` waits for what is under way", async () => {
    vi.useFakeTimers()
    await rig.login()
    let away = true
    const store = {
      ...rig.store,
      due: async (within: number, limit: number) => {
        if (away) throw new Error("the store is away")
        return rig.store.due(within, limit)
      },
    }
    const { background } = rig.process({ store })
    background.start({ every: 60 })
    await vi.advanceTimersByTimeAsync(1)
    away = false
    let finish = () => {}
    rig.answers.push(
      (_, usual) =>
        new Promise((resolve) => {
          finish = () => resolve(usual())
        }),
    )
    await vi.advanceTimersByTimeAsync(80_000)
    expect(rig.asked).toHaveLength(1)
    let closed = false
    const closing = background.close().then(() => {
      closed = true
    })
    await vi.advanceTimersByTimeAsync(1000)
    expect(closed).toBe(false)
    finish()
    await closing
  })
})
