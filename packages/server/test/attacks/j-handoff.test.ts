import { afterEach, beforeEach, describe, expect, it } from "vitest"
import {
  grantOf,
  type HostedRoom,
  handoffOf,
  openHosted,
  polling,
  redemption,
  verdict,
} from "../support/hosted-room.js"
import { parsed, random, s256 } from "../support/server.js"

let room: HostedRoom
beforeEach(async () => {
  room = await openHosted()
})
afterEach(() => room.close())

/** A login whose user is back, with its handoff. */
async function returned(on = room) {
  const login = await on.start()
  return { login, handoff: handoffOf(await on.browser().finish(login)) }
}
const redeem = (body: object) => room.post("/redeem", body)
const sessions = async () => (await room.store.scan(null, 100)).rows.length
const told = (reason: string) =>
  room.events.filter((event) => event.type === "auth.hosted.failed" && event.reason === reason).length

describe("J4: a handoff is for its bearer alone, once", () => {
  it("J4: it is 256 bits, and of one login", async () => {
    const [one, other] = [await returned(), await returned()]
    expect(Buffer.from(one.handoff, "base64url")).toHaveLength(32)
    expect(one.handoff).not.toBe(other.handoff)
    const mixed = { ...redemption(one.login, other.handoff, random()) }
    expect(verdict(await redeem(mixed))).toEqual([400, "login_failed"])
    expect(told("handoff_mismatch")).toBe(1)
    for (const { login, handoff } of [one, other])
      expect((await redeem(redemption(login, handoff, random()))).status).toBe(200)
  })

  it("J4: a thousand guesses burn nothing, and are 429 from where they come", async () => {
    await room.close()
    room = await openHosted({ rateLimit: { perMinute: 10, burst: 20 } })
    const { login, handoff } = await returned()
    const statuses: number[] = []
    for (let guess = 0; guess < 1000; guess++) {
      const body = redemption(login, random(), random())
      statuses.push((await room.post("/redeem", body, { address: "192.0.2.7" })).status)
    }
    expect(statuses.slice(0, 20)).toEqual(Array(20).fill(400))
    expect(new Set(statuses.slice(21))).toEqual(new Set([429]))
    expect((await redeem(redemption(login, handoff, random()))).status).toBe(200)
  })

  it("J4: stolen without the verifier it is burned: neither the thief nor the owner gets a session", async () => {
    const { login, handoff } = await returned()
    const stolen = { ...redemption(login, handoff, random()), code_verifier: random() }
    const refusal = await redeem(stolen)
    expect(verdict(refusal)).toEqual([400, "login_failed"])
    expect(verdict(await redeem(redemption(login, handoff, random())))).toEqual([400, "login_failed"])
    expect([told("handoff_stolen"), told("handoff_burned"), await sessions()]).toEqual([1, 1, 0])
    expect(room.events).toContainEqual(
      expect.objectContaining({
        type: "auth.hosted.failed",
        provider: "default",
        reason: "handoff_stolen",
        error_id: parsed(refusal).error_id,
      }),
    )
  })

  it("J4: who comes with it and a wrong verifier after the owner changes nothing", async () => {
    const { login, handoff } = await returned()
    const honest = redemption(login, handoff, random())
    const first = grantOf(await redeem(honest))
    expect((await redeem({ ...honest, code_verifier: random() })).status).toBe(400)
    expect(grantOf(await redeem(honest)).refresh_token).toBe(first.refresh_token)
  })

  it.each<[string, object]>([
    ["another session_challenge", { session_challenge: s256(random()) }],
    ["no session_challenge", { session_challenge: undefined }],
    ["a cookie", { bind: "cookie" }],
  ])("J4: replayed with the verifier and %s it ends the session, and is told", async (_, change) => {
    const { login, handoff } = await returned()
    const honest = redemption(login, handoff, random())
    const grant = grantOf(await redeem(honest))
    const headers = { "sec-fetch-site": "same-origin", "pkce-protocol": "1" }
    const replay = await room.post(
      "/redeem",
      { ...honest, ...change },
      { headers: { ...headers, "content-type": "application/json" } },
    )
    expect(verdict(replay)).toEqual([400, "login_failed"])
    expect(told("handoff_replay")).toBe(1)
    expect((await room.store.find(grant.session_id)).row).toMatchObject({ revokedReason: "handoff_replay" })
    expect(verdict(await redeem(honest))).toEqual([400, "login_failed"])
    expect(await sessions()).toBe(0)
  })

  it("J4: the identical request gets the identical session, once, and no session token after half a minute", async () => {
    const { login, handoff } = await returned()
    const body = redemption(login, handoff, random())
    const grants = (await Promise.all(Array.from({ length: 6 }, () => redeem(body)))).map(grantOf)
    expect(new Set(grants.map(({ refresh_token }) => refresh_token)).size).toBe(1)
    expect(await sessions()).toBe(1)
    room.jump(31)
    const late = grantOf(await redeem(body))
    expect(late.refresh_token).toBe(grants[0]?.refresh_token)
    expect([late.session_token, late.expires_in]).toEqual([undefined, undefined])
    expect(late.user_info).toEqual(grants[0]?.user_info)
    expect(room.idp.calls.token).toBe(1)
  })

  it("J4: two different requests at once, both with the verifier, end with no session that lives", async () => {
    const { login, handoff } = await returned()
    const bodies = [redemption(login, handoff, random()), redemption(login, handoff, random())]
    const answers = await Promise.all(bodies.map(redeem))
    expect(answers.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1)
    for (const body of bodies) expect((await redeem(body)).status).toBe(400)
    expect(await sessions()).toBe(0)
  })

  it("the session shows the device that started the login, and where it was", async () => {
    const asked = { delivery: "poll", device: { name: "Television", platform: "tv" } } as const
    const login = { ...(await room.start(asked)), line: random() }
    await room.browser().finish(login)
    const { user_info } = grantOf(
      await room.post("/poll", polling(login, login.line), { address: "192.0.2.9" }),
    )
    const [session] = await room.auth.sessions.list(String(user_info?.sub))
    expect(session?.device).toEqual({ name: "Television", platform: "tv" })
    const body = {
      delivery: "poll",
      state: random(),
      code_challenge: s256(random()),
      device: { ip: "1.2.3.4" },
    }
    expect(verdict(await room.post("/start", body))).toEqual([400, "invalid_request"])
  })

  it("J4: it lives ten minutes after the callback, and a session without a line is one token", async () => {
    const { login, handoff } = await returned()
    room.jump(599)
    const { session_challenge: _, ...body } = redemption(login, handoff, random())
    expect(grantOf(await redeem(body))).toMatchObject({ session_token: expect.any(String) })
    expect(grantOf(await redeem(body)).refresh_token).toBeUndefined()
    const late = await returned()
    room.jump(600)
    expect(verdict(await redeem(redemption(late.login, late.handoff, random())))).toEqual([
      410,
      "login_expired",
    ])
  })

  it("J4: a login that is not known, or whose user is not back, has none", async () => {
    const login = await room.start()
    expect(verdict(await redeem(redemption(login, random(), random())))).toEqual([400, "login_failed"])
    expect(told("not_returned")).toBe(1)
    const failures = room.events.filter(({ type }) => type === "auth.hosted.failed").length
    const unknown = { ...login, login_id: random().slice(0, 22) }
    expect(verdict(await redeem(redemption(unknown, random(), random())))).toEqual([410, "login_expired"])
    room.jump(600)
    expect(verdict(await redeem(redemption(login, random(), random())))).toEqual([410, "login_expired"])
    expect((await room.browser().visit(login.authorize_url)).status).toBe(410)
    // What is merely too late is no attack.
    expect(room.events.filter(({ type }) => type === "auth.hosted.failed")).toHaveLength(failures)
  })

  it("J4: a login is redeemed by its own delivery: no poll of a redirect, no handoff of a poll", async () => {
    const { login, handoff } = await returned()
    expect(verdict(await room.post("/poll", polling(login, random())))).toEqual([400, "login_failed"])
    const started = await room.start()
    expect(verdict(await room.post("/poll", polling(started, random())))).toEqual([400, "login_failed"])
    const polled = await room.start({ delivery: "poll" })
    await room.browser().finish(polled)
    expect(verdict(await redeem(redemption(polled, random(), random())))).toEqual([400, "login_failed"])
    expect(told("wrong_delivery")).toBe(3)
    expect((await redeem(redemption(login, handoff, random()))).status).toBe(200)
    expect((await room.post("/poll", polling(polled, random()))).status).toBe(200)
  })
})

describe("J4: a poll proves itself by the verifier", () => {
  it("J4: a wrong one is 400 and burns nothing, before and after the user is back", async () => {
    const login = await room.start({ delivery: "poll" })
    const browser = room.browser()
    const wrong = () => room.post("/poll", { ...polling(login, random()), code_verifier: random() })
    expect(verdict(await wrong())).toEqual([400, "login_failed"])
    await browser.finish(login)
    for (let guess = 0; guess < 1000; guess++) expect((await wrong()).status).toBe(400)
    expect(told("verifier_mismatch")).toBe(1001)
    const body = polling(login, random())
    const first = grantOf(await room.post("/poll", body))
    expect((await wrong()).status).toBe(400)
    expect(grantOf(await room.post("/poll", body)).refresh_token).toBe(first.refresh_token)
    expect((await room.post("/poll", polling(login, random()))).status).toBe(400)
    expect([told("handoff_replay"), await sessions()]).toEqual([1, 0])
  })

  it("J4: guesses at a poll are 429 from where they come, and the app goes on", async () => {
    await room.close()
    room = await openHosted({ rateLimit: { perMinute: 10, burst: 3 } })
    const login = await room.start({ delivery: "poll" })
    const guess = () =>
      room.post("/poll", { ...polling(login, random()), code_verifier: random() }, { address: "192.0.2.7" })
    for (const status of [400, 400, 400, 429]) expect((await guess()).status).toBe(status)
    expect((await room.post("/poll", polling(login, random()), { address: "192.0.2.8" })).status).toBe(202)
  })

  it("J4: an unknown or expired login is 410", async () => {
    const login = await room.start({ delivery: "poll" })
    expect((await room.post("/poll", polling(login, random()))).status).toBe(202)
    room.jump(600)
    expect(verdict(await room.post("/poll", polling(login, random())))).toEqual([410, "login_expired"])
  })
})
