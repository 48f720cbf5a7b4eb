import { beforeEach, describe, expect, it, vi } from "vitest"
import { createGrantRig, failureOf, type GrantRig, gate, lost, unreachable } from "../support/grants.js"

let rig: GrantRig
beforeEach(() => {
  rig = createGrantRig()
})

const state = async (sid: string) => (await rig.store.find(sid)).row?.grantState
const types = () => rig.events.map(({ type }) => type)
/** The lease of a process that has died ends. */
const leaseOver = () => {
  rig.clock.seconds += 46
}

describe("an access token", () => {
  it("comes from the row while it is good for long enough, and costs the provider nothing", async () => {
    const sid = await rig.login(200)
    const { access_token } = await rig.sealed(sid)
    const process = rig.process()
    rig.clock.seconds += 140
    expect(await process.accessToken(sid)).toBe(access_token)
    expect(await process.accessToken(sid, { minTtl: 60 })).toBe(access_token)
    expect(rig.asked).toHaveLength(0)
    expect(await process.accessToken(sid, { minTtl: 61 })).not.toBe(access_token)
    expect(rig.asked).toHaveLength(1)
  })

  it("that lives a minute is not refreshed at every call", async () => {
    const sid = await rig.login(60, { obtained_at: rig.clock.seconds })
    const process = rig.process()
    for (let second = 0; second <= 30; second++) {
      await process.accessToken(sid)
      rig.clock.seconds++
    }
    expect(rig.asked).toHaveLength(0)
    await process.accessToken(sid)
    expect(rig.asked).toHaveLength(1)
  })

  it("is refreshed when it is due, and what the provider issued is sealed under the next revision", async () => {
    const sid = await rig.login(30)
    const before = await rig.sealed(sid)
    const token = await rig.process().accessToken(sid)
    const after = await rig.sealed(sid)
    expect(after).toMatchObject({ access_token: token, id_token: "a.b.c" })
    expect(after.refresh_token).not.toBe(before.refresh_token)
    const { row } = await rig.store.find(sid)
    expect(row).toMatchObject({
      grantRev: 1,
      grantState: "ok",
      leaseExpiresAt: 0,
      grantDueAt: rig.clock.seconds + 3600,
    })
    expect(rig.events).toMatchObject([{ type: "idp.refresh.succeeded", session_id: sid }])
  })

  it("H1: of 8 processes with 50 requests each at the moment of expiry one asks the provider, once", async () => {
    const sid = await rig.login(0)
    const processes = Array.from({ length: 8 }, () => rig.process())
    const all = processes.flatMap((process) => Array.from({ length: 50 }, () => process.accessToken(sid)))
    const tokens = new Set(await Promise.all(all))
    expect(rig.asked).toHaveLength(1)
    expect([...tokens]).toEqual([(await rig.sealed(sid)).access_token])
  })

  it("H1: for another API it is another one, kept beside that of the login", async () => {
    const sid = await rig.login(3600)
    const process = rig.process()
    const login = await process.accessToken(sid)
    const orders = await process.accessToken(sid, { audience: "https://orders.example" })
    const narrow = await process.accessToken(sid, { audience: "https://orders.example", scope: "read" })
    expect(new Set([login, orders, narrow]).size).toBe(3)
    expect(rig.asked.map(({ audience, scope }) => [audience, scope])).toEqual([
      ["https://orders.example", undefined],
      ["https://orders.example", "read"],
    ])
    expect(await process.accessToken(sid, { audience: "https://orders.example" })).toBe(orders)
    expect(await process.accessToken(sid)).toBe(login)
    expect(rig.asked).toHaveLength(2)
    for (let i = 0; i < 20; i++) await process.accessToken(sid, { audience: `https://${i}.example` })
    expect((await rig.sealed(sid)).others).toHaveLength(8)
  })

  it("R15: that is good for a little longer is better than none", async () => {
    const sid = await rig.login(20)
    const { access_token } = await rig.sealed(sid)
    rig.answers.push(unreachable)
    expect(await rig.process().accessToken(sid)).toBe(access_token)
    rig.clock.seconds += 21
    rig.answers.push(unreachable)
    expect(await failureOf(rig.process().accessToken(sid))).toBe("idp_unavailable connect")
  })

  it("without a refresh token lasts as long as it lasts", async () => {
    const ends = await rig.login(20)
    const { refresh_token: _, ...bare } = await rig.sealed(ends)
    const sid = await rig.login(20, { refresh_token: undefined } as never)
    expect(bare.access_token).toBeDefined()
    const process = rig.process()
    expect(await process.accessToken(sid)).toBe((await rig.sealed(sid)).access_token)
    rig.clock.seconds += 20
    expect(await failureOf(process.accessToken(sid))).toBe("reauthentication_required no_refresh_token")
    expect(rig.asked).toHaveLength(0)
  })

  it("whose lifetime the provider did not tell is taken to live a minute where it can be refreshed", async () => {
    const options = { expires_at: undefined, obtained_at: rig.clock.seconds } as never
    const sid = await rig.login(0, options)
    const process = rig.process()
    rig.clock.seconds += 30
    await process.accessToken(sid)
    expect(rig.asked).toHaveLength(0)
    rig.clock.seconds += 1
    await process.accessToken(sid)
    expect(rig.asked).toHaveLength(1)
    const eternal = await rig.login(0, { expires_at: undefined, refresh_token: undefined } as never)
    rig.clock.seconds += 10_000
    expect(await process.accessToken(eternal)).toBe((await rig.sealed(eternal)).access_token)
  })

  it("H1: of 50 callers in one process one looks into the store", async () => {
    const sid = await rig.login(0)
    let finds = 0
    const find = (id: string) => {
      finds++
      return rig.store.find(id)
    }
    const store = { ...rig.store, find }
    const process = rig.process({ store })
    await Promise.all(Array.from({ length: 50 }, () => process.accessToken(sid)))
    expect(finds).toBe(1)
  })

  it("for another API goes when it has ended, and makes room", async () => {
    const sid = await rig.login(36_000)
    const process = rig.process()
    await process.accessToken(sid, { audience: "https://a.example" })
    rig.clock.seconds += 3600
    await process.accessToken(sid, { audience: "https://b.example" })
    expect((await rig.sealed(sid)).others?.map(({ audience }) => audience)).toEqual(["https://b.example"])
  })

  it("of a session whose time is over is not given out", async () => {
    const sid = await rig.login(40 * 86_400)
    rig.clock.seconds += 31 * 86_400
    expect(await failureOf(rig.process().accessToken(sid))).toBe("session_expired undefined")
  })

  it("of a session that has ended is not given out", async () => {
    const sid = await rig.login(3600)
    await rig.store.revoke(sid, "logout")
    expect(await failureOf(rig.process().accessToken(sid))).toBe("session_revoked undefined")
    expect(await failureOf(rig.process().accessToken("nobody"))).toBe("session_expired undefined")
  })
})

describe("H2: a refresh that nobody heard the end of", () => {
  /** A process that dies at this call of the provider. */
  const dies = (after: "asked" | "answered") =>
    rig.answers.push((_, usual) => {
      if (after === "answered") usual()
      return new Promise<never>(() => undefined)
    })

  it("H2: before the provider acted on it: the next process refreshes, and nothing is lost", async () => {
    const sid = await rig.login()
    dies("asked")
    void rig.process().accessToken(sid)
    await expect.poll(() => rig.asked.length).toBe(1)
    expect(await state(sid)).toBe("uncertain")
    leaseOver()
    await rig.process().accessToken(sid)
    expect(rig.asked).toHaveLength(2)
    expect(await state(sid)).toBe("ok")
  })

  it("H2: after the provider had rotated: one retry with the old token, then the grant is lost and the session is not", async () => {
    const sid = await rig.login()
    dies("answered")
    void rig.process().accessToken(sid)
    await expect.poll(() => rig.asked.length).toBe(1)
    leaseOver()
    expect(await failureOf(rig.process().accessToken(sid))).toBe("reauthentication_required lost")
    expect(await failureOf(rig.process().accessToken(sid))).toBe("reauthentication_required lost")
    expect(rig.asked).toHaveLength(2)
    expect(types()).toEqual(["idp.grant.lost"])
    const { row } = await rig.store.find(sid)
    expect(row).toMatchObject({ grantState: "lost", revokedAt: null, grantDueAt: null })
    expect(rig.ended).toEqual([])
  })

  it("H2: a second process that dies at the retry: the old token is never presented blindly again", async () => {
    const sid = await rig.login()
    for (const _again of [1, 2]) {
      dies("asked")
      void rig.process().accessToken(sid)
      await expect.poll(() => rig.asked.length).toBe(_again)
      leaseOver()
    }
    expect(await failureOf(rig.process().accessToken(sid))).toBe("reauthentication_required lost")
    expect(rig.asked).toHaveLength(2)
  })

  it("while it runs others wait for it, and take what it got", async () => {
    const sid = await rig.login()
    const { opened, open } = gate()
    rig.answers.push(async (_, usual) => {
      await opened
      return usual()
    })
    const first = rig.process().accessToken(sid)
    await expect.poll(() => rig.asked.length).toBe(1)
    const other = rig.process({ onPause: (count) => count === 3 && open() })
    expect(await other.accessToken(sid)).toBe(await first)
    expect(rig.asked).toHaveLength(1)
  })

  it("and that does not end in ten seconds: they are told to come back", async () => {
    const sid = await rig.login()
    rig.answers.push(() => new Promise<never>(() => undefined))
    void rig.process().accessToken(sid)
    await expect.poll(() => rig.asked.length).toBe(1)
    const other = rig.process()
    expect(await failureOf(other.accessToken(sid))).toBe("idp_unavailable leased")
    expect(other.pauses.reduce((sum, pause) => sum + pause)).toBeGreaterThanOrEqual(10_000)
    expect(rig.asked).toHaveLength(1)
  })
})

describe("R14: a holder that wakes after its lease", () => {
  /** A refresh whose answer waits for `wake`. */
  async function sleeper(sid: string) {
    const { opened, open } = gate()
    rig.answers.push(async (_, usual) => {
      const result = usual()
      await opened
      return result
    })
    const token = rig.process().accessToken(sid)
    const asked = rig.asked.length + 1
    await expect.poll(() => rig.asked.length).toBe(asked)
    return { token, wake: open }
  }

  it("and finds newer tokens saved: its own are dropped", async () => {
    rig = createGrantRig("none")
    const sid = await rig.login()
    const late = await sleeper(sid)
    leaseOver()
    const fresh = await rig.process().accessToken(sid)
    late.wake()
    expect(await late.token).toBe(fresh)
    expect((await rig.sealed(sid)).access_token).toBe(fresh)
  })

  it("and finds the grant given up for lost: its tokens are the good ones, and heal it", async () => {
    const sid = await rig.login()
    const late = await sleeper(sid)
    leaseOver()
    expect(await failureOf(rig.process().accessToken(sid))).toBe("reauthentication_required lost")
    late.wake()
    const token = await late.token
    expect(await rig.process().accessToken(sid)).toBe(token)
    expect(await state(sid)).toBe("ok")
  })

  it("and saves before one whose own lease is over too: that one's refusal gives nothing up", async () => {
    const sid = await rig.login()
    const first = await sleeper(sid)
    leaseOver()
    const { opened, open } = gate()
    rig.answers.push(async (_, usual) => {
      await opened
      return usual()
    })
    const second = rig.process().accessToken(sid)
    await expect.poll(() => rig.asked.length).toBe(2)
    leaseOver()
    first.wake()
    const token = await first.token
    open()
    expect(await second).toBe(token)
    expect(await state(sid)).toBe("ok")
  })

  it("and saves what the next holder may have spent: a refusal of it proves nothing of the user", async () => {
    const sid = await rig.login()
    const late = await sleeper(sid)
    const now = performance.now()
    const clock = vi.spyOn(performance, "now").mockReturnValue(now + 46_000)
    leaseOver()
    late.wake()
    await late.token
    clock.mockRestore()
    expect(await state(sid)).toBe("uncertain")
  })

  it("and finds another at it: it saves when that one has had its turn", async () => {
    const sid = await rig.login()
    const late = await sleeper(sid)
    leaseOver()
    const { opened, open } = gate()
    rig.answers.push(async (_, usual) => {
      await opened
      return usual()
    })
    const other = failureOf(rig.process().accessToken(sid))
    await expect.poll(() => rig.asked.length).toBe(2)
    late.wake()
    const token = await late.token
    open()
    expect(await other).toBe("reauthentication_required lost")
    await expect.poll(async () => (await rig.sealed(sid)).access_token).toBe(token)
    expect(await state(sid)).toBe("ok")
  })
})

describe("H3: the provider's word", () => {
  const refuse = () => rig.answers.push(() => ({ outcome: "refused" }))

  it("H3: said once it is not believed, said twice five seconds apart it is; the session goes on", async () => {
    const sid = await rig.login()
    refuse()
    expect(await failureOf(rig.process().accessToken(sid))).toBe("idp_unavailable invalid_grant")
    expect(await failureOf(rig.process().accessToken(sid))).toBe("idp_unavailable invalid_grant")
    expect(rig.asked).toHaveLength(1)
    rig.clock.seconds += 5
    refuse()
    for (const _again of [1, 2])
      expect(await failureOf(rig.process().accessToken(sid))).toBe("reauthentication_required revoked")
    expect(await state(sid)).toBe("revoked")
    expect(types()).toEqual(["idp.refresh.failed", "idp.grant.revoked"])
    expect(rig.ended).toEqual([])
  })

  it("H3: a refusal that was a mistake costs nothing", async () => {
    const sid = await rig.login()
    refuse()
    await failureOf(rig.process().accessToken(sid))
    rig.clock.seconds += 5
    await rig.process().accessToken(sid)
    expect(await state(sid)).toBe("ok")
  })

  it("H3: with revoke-session it ends our session too; a lost grant never does", async () => {
    const process = rig.process({ onProviderGrantRevoked: "revoke-session" })
    const revoked = await rig.login()
    refuse()
    await failureOf(process.accessToken(revoked))
    rig.clock.seconds += 5
    refuse()
    await failureOf(process.accessToken(revoked))
    expect(rig.ended).toEqual([{ sid: revoked, reason: "provider_grant_revoked" }])

    const sid = await rig.login()
    rig.answers.push(lost)
    await failureOf(process.accessToken(sid))
    refuse()
    expect(await failureOf(process.accessToken(sid))).toBe("reauthentication_required lost")
    expect(rig.ended).toHaveLength(1)
  })

  it("H3: errors that say nothing of the user end nothing, for however long", async () => {
    const sid = await rig.login()
    const process = rig.process()
    for (let minute = 0; minute < 60; minute++) {
      rig.answers.push(minute % 2 ? unreachable : lost)
      expect(await failureOf(process.accessToken(sid))).toMatch(/^idp_(unavailable|timeout) /)
      rig.clock.seconds += 60
    }
    expect(await state(sid)).toBe("uncertain")
    rig.answers.length = 0
    rig.clock.seconds += 600
    await process.accessToken(sid)
    expect(await state(sid)).toBe("ok")
  })

  it("E16: tokens of somebody else are not stored, and the session ends", async () => {
    const sid = await rig.login()
    rig.answers.push(() => ({ outcome: "identity_changed", reason: "id_token_sub_changed" }))
    expect(await failureOf(rig.process().accessToken(sid))).toBe("reauthentication_required identity_changed")
    expect(rig.ended).toEqual([{ sid, reason: "identity_changed" }])
    expect(rig.events).toContainEqual(
      expect.objectContaining({ type: "idp.refresh.identity_changed", reason: "id_token_sub_changed" }),
    )
    expect((await rig.store.find(sid)).row?.grantRev).toBe(0)
  })
})

describe("userInfo and claims", () => {
  it("are the user's, fresh from the provider, or as they were at login", async () => {
    const sid = await rig.login(3600)
    const process = rig.process()
    expect(await process.userInfo(sid)).toMatchObject({ sub: expect.any(String) })
    expect(await process.claims(sid)).toEqual({ name: "Ada" })
    expect(rig.asked).toHaveLength(0)
  })

  it("ask with another token, once, where the provider has ended the present one before its time", async () => {
    const sid = await rig.login(3600)
    const { access_token } = await rig.sealed(sid)
    rig.refused.add(access_token)
    const { accessToken } = await rig.process().userInfo(sid)
    expect(accessToken).not.toBe(access_token)
    expect(rig.asked).toHaveLength(1)
  })
})
