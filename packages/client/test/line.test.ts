import { isChallenge, isVerifier, TERMINAL_CODES } from "@pkce/protocol"
import { describe, expect, it, vi } from "vitest"
import { answer, refusal } from "../src/testing/answers.js"
import { type Fault, provider } from "../src/testing/backend.js"
import { codeOf, fakeDevice } from "../src/testing/device.js"
import { type Device, HOUR, loggedIn } from "./support/logged-in.js"

const steps = (device: Device) => device.backend.to("POST /refresh").map(({ body }) => body)
const different = (device: Device) => new Set(steps(device).map((body) => JSON.stringify(body))).size
const generation = (device: Device) => [...device.backend.rows.values()][0]?.gen
const revoked = (device: Device) => [...device.backend.rows.values()].map((row) => row.revoked)
const sessionOf = (device: Device) => JSON.parse(device.storage.text() ?? "null")?.session

describe("a step of the line", () => {
  it("proves the last challenge and sets the next one, drawn and stored before it is sent", async () => {
    const { device, app, events } = await loggedIn()
    const before = sessionOf(device)
    device.clock.advance(HOUR)
    device.backend.faults.push(({ body }) => {
      const { pending, refreshToken, verifier } = sessionOf(device)
      expect(body).toEqual({
        refresh_token: refreshToken,
        session_verifier: verifier,
        session_challenge: pending.challenge,
      })
      expect(isVerifier(pending.verifier) && isChallenge(pending.challenge)).toBe(true)
      expect(pending.verifier).not.toBe(verifier)
      return undefined
    })
    const token = await app.getSessionToken()
    const after = sessionOf(device)
    expect(token).toBe(after.token.value)
    expect(after.refreshToken).not.toBe(before.refreshToken)
    expect(after.pending).toBeUndefined()
    expect(events.map(({ type }) => type)).toEqual(["refreshed"])
    expect(generation(device)).toBe(1)
  })

  it("goes on for a hundred generations", async () => {
    const { device, app } = await loggedIn()
    for (let i = 0; i < 100; i++) {
      device.clock.advance(300_000)
      await app.getSessionToken()
    }
    expect(generation(device)).toBe(100)
    expect(revoked(device)).toEqual([undefined])
  })

  it("P8 is one for all callers", async () => {
    const { device, app } = await loggedIn()
    device.clock.advance(HOUR)
    const tokens = await Promise.all(Array.from({ length: 10 }, () => app.getSessionToken()))
    expect(new Set(tokens).size).toBe(1)
    expect(steps(device)).toHaveLength(1)
  })

  it("F3 P8 two tabs that step at once send the same step", async () => {
    const { device, app } = await loggedIn()
    const other = device.start()
    await other.restore()
    device.clock.advance(HOUR)
    const tokens = await Promise.all([app.getSessionToken(), other.getSessionToken()])
    expect(tokens).not.toContain(null)
    expect(different(device)).toBe(1)
    expect(generation(device)).toBe(1)
    expect(revoked(device)).toEqual([undefined])
  })

  it("F3 a tab takes over the token that another one got", async () => {
    const { device, app, events } = await loggedIn()
    const other = device.start()
    await other.restore()
    device.clock.advance(HOUR)
    const token = await app.getSessionToken()
    expect(await other.getSessionToken()).toBe(token)
    expect(steps(device)).toHaveLength(1)
    await other.logout()
    await vi.waitFor(() => expect(app.session).toBeNull())
    expect(events.at(-1)).toEqual({ type: "signed_out", session: null, reason: "elsewhere" })
    expect(await app.getSessionToken()).toBeNull()
  })
})

describe("what is not an answer", () => {
  const faults: [name: string, fault: () => Fault, code?: string][] = [
    ["a lost answer", () => "lost"],
    ["no connection", () => "down"],
    ["R18 a captive portal's page", () => "portal"],
    ["an answer that hangs", () => "hangs"],
    ["a proxy's 401", () => new Response('{"error":"session_revoked"}', { status: 401 })],
    ["a proxy's 403", () => new Response("forbidden", { status: 403 })],
    ["a proxy's 404", () => new Response("nothing here", { status: 404 })],
    ["a proxy's 407", () => new Response("", { status: 407 })],
    ["another protocol's 401", () => refusal(401, "session_revoked", false, { "Pkce-Protocol": "2" })],
    ["a 401 that is no JSON", () => new Response("gone", { status: 401, headers: { "Pkce-Protocol": "1" } })],
    ["a 401 without a code", () => answer(401, { message: "no" })],
    ["a 200 without a grant", () => answer(200, { hello: "world" })],
    ["a 200 that is JSON but no object", () => answer(200, "ok")],
    [
      "a grant of another session",
      () => answer(200, { session_id: "x", refresh_token: "y", session_token: "z", expires_in: 9 }),
    ],
    ["a grant without the header", () => new Response('{"session_id":"x","refresh_token":"y"}')],
    ["429", () => refusal(429, "rate_limited", true), "rate_limited"],
    ["500", () => refusal(500, "internal", true), "internal"],
    ["503", () => refusal(503, "unavailable", true), "unavailable"],
    ["408", () => refusal(408, "request_timeout", true), "request_timeout"],
  ]

  it.each(faults)("GR4 F2 P7 P9 %s: the same request again, and nobody is logged out", async (_, fault) => {
    const { device, app, events } = await loggedIn()
    device.clock.advance(HOUR)
    device.backend.faults.push(fault())
    expect(await app.getSessionToken()).toMatch(/^st\./)
    expect(steps(device).length).toBeGreaterThan(1)
    expect(different(device)).toBe(1)
    expect(events.map(({ type }) => type)).toEqual(["refreshed"])
    expect(revoked(device)).toEqual([undefined])
  })

  it.each(faults)(
    "GR4 F2 P7 P9 %s for days: a bounded wait, then an error that says so, and the same request the day after",
    async (_, fault, code = "network") => {
      const { device, app, events } = await loggedIn()
      for (let day = 0; day < 3; day++) {
        device.clock.advance(24 * HOUR)
        device.backend.faults.splice(0)
        device.backend.faults.push(fault(), fault(), fault(), fault())
        const start = device.clock.monotonic()
        expect(await app.getSessionToken().catch((e) => e)).toMatchObject({
          code,
          retryable: true,
        })
        expect(device.clock.monotonic() - start).toBeLessThanOrEqual(15_000)
        expect(app.session).not.toBeNull()
      }
      device.backend.faults.splice(0)
      const restarted = device.start()
      expect(await restarted.getSessionToken()).toMatch(/^st\./)
      // What was committed days ago is repeated without a token, and one step more brings it.
      expect(different(device)).toBeLessThanOrEqual(2)
      expect(events.filter(({ type }) => type !== "refreshed")).toEqual([])
      expect(revoked(device)).toEqual([undefined])
    },
  )

  it("keeps to Retry-After, also from one call to the next", async () => {
    const { device, app } = await loggedIn()
    device.clock.advance(HOUR)
    device.backend.faults.push(refusal(429, "rate_limited", true, { "Retry-After": "40" }))
    const error = await app.getSessionToken().catch((e) => e)
    expect(error).toMatchObject({ code: "rate_limited", retryAfter: 40, errorId: "0123456789abcdef" })
    device.clock.advance(20_000)
    expect(await app.getSessionToken().catch((e) => e)).toMatchObject({ code: "network", retryAfter: 20 })
    expect(steps(device)).toHaveLength(1)
    device.clock.advance(20_000)
    expect(await app.getSessionToken()).toMatch(/^st\./)
  })
})

describe("what ends a session", () => {
  it.each(TERMINAL_CODES)("GR4 a 401 %s of the backend, for the token that was sent", async (code) => {
    const { device, app, events } = await loggedIn()
    device.clock.advance(HOUR)
    device.backend.faults.push(refusal(401, code))
    expect(await app.getSessionToken()).toBeNull()
    expect(app.session).toBeNull()
    expect(sessionOf(device)).toBeNull()
    expect(events).toEqual([{ type: "signed_out", session: null, reason: code }])
  })

  it("GR4 a 401 for a token that is no longer the stored one ends nothing", async () => {
    const { device, app } = await loggedIn()
    const other = device.start()
    await other.restore()
    device.clock.advance(HOUR)
    device.backend.faults.push(async () => {
      expect(await other.getSessionToken()).toMatch(/^st\./)
      return refusal(401, "session_revoked")
    })
    expect(await app.getSessionToken()).toMatch(/^st\./)
    expect(app.session).not.toBeNull()
    expect(sessionOf(device)).toBeDefined()
  })

  it("GR4 no other route's 401 does", async () => {
    const { device, app } = await loggedIn()
    device.backend.faults.push(refusal(401, "session_revoked"))
    expect(await codeOf(app.sessions.list())).toBe("session_revoked")
    expect(app.session).not.toBeNull()
    expect(sessionOf(device)).toBeDefined()
  })

  it("a late grant never brings back a session that was logged out", async () => {
    const { device, app } = await loggedIn()
    device.clock.advance(HOUR)
    device.backend.faults.push(async () => {
      await app.logout()
      return undefined
    })
    device.backend.faults.push((seen) => (seen.route === "POST /logout" ? answer(200, {}) : undefined))
    expect(await app.getSessionToken()).toBeNull()
    expect(app.session).toBeNull()
    expect(device.storage.text()).toBeNull()
  })
})

describe("what stalls", () => {
  it.each<[number, string, boolean]>([
    [400, "invalid_request", false],
    [404, "not_found", false],
    [405, "method_not_allowed", false],
    [413, "payload_too_large", true],
    [415, "unsupported_media_type", true],
    [403, "forbidden", false],
    [503, "idp_misconfigured", false],
    [401, "reauthenticate", false],
  ])(
    "GR4 %i %s: the session stays, and the backend is asked again at the next start",
    async (status, code, retryable) => {
      const { device, app, events } = await loggedIn()
      device.clock.advance(HOUR)
      device.backend.faults.push(refusal(status, code, retryable))
      expect(await app.getSessionToken().catch((e) => e)).toMatchObject({ code: "stalled", retryable: false })
      expect(await codeOf(app.getSessionToken())).toBe("stalled")
      expect(steps(device)).toHaveLength(1)
      expect(app.session).not.toBeNull()
      expect(events).toMatchObject([{ type: "stalled", error: { errorId: "0123456789abcdef" } }])
      expect(await device.start().getSessionToken()).toMatch(/^st\./)
      expect(different(device)).toBe(1)
    },
  )
})

describe("getSessionToken", () => {
  it("is null where nobody is logged in", async () => {
    const device = fakeDevice()
    expect(await device.start().getSessionToken()).toBeNull()
    expect(await device.start().refresh()).toBeNull()
    expect(device.backend.requests).toEqual([])
  })

  it("asks nobody while the token is fresh", async () => {
    const { device, app } = await loggedIn()
    const token = await app.getSessionToken()
    device.clock.advance(260_000)
    expect(await app.getSessionToken()).toBe(token)
    expect(steps(device)).toEqual([])
  })

  it("P9 never waits while the token is valid, and renews it in the background", async () => {
    const { device, app } = await loggedIn()
    const token = await app.getSessionToken()
    device.clock.advance(280_000)
    let release = () => {}
    device.backend.faults.push(async () => {
      await new Promise<void>((resolve) => {
        release = resolve
      })
      return undefined
    })
    expect(await app.getSessionToken()).toBe(token)
    await vi.waitFor(() => expect(steps(device)).not.toEqual([]))
    release()
    await vi.waitFor(async () => expect(await app.getSessionToken()).not.toBe(token))
  })

  it("with minTtl waits for a token that lives longer, and does without where none can be had", async () => {
    const { device, app } = await loggedIn()
    const token = await app.getSessionToken()
    device.clock.advance(200_000)
    expect(await app.getSessionToken({ minTtl: 90 })).toBe(token)
    expect(await app.getSessionToken({ minTtl: 120 })).not.toBe(token)
    device.clock.advance(200_000)
    device.backend.settings.whileDown = true
    expect(await app.getSessionToken({ minTtl: 120 })).toMatch(/^st\./)
    device.clock.advance(200_000)
    expect(await codeOf(app.getSessionToken())).toBe("network")
  })

  it.each([0, -10, Number.NaN, 3600])(
    "with a minTtl of %d gives a token, or fails: never null",
    async (minTtl) => {
      const { device, app } = await loggedIn()
      const first = await app.getSessionToken({ minTtl })
      expect(first).toMatch(/^st\./)
      device.clock.advance(305_000)
      const second = await app.getSessionToken({ minTtl })
      expect(second).toMatch(/^st\./)
      expect(second).not.toBe(first)
      device.clock.advance(305_000)
      device.backend.settings.whileDown = true
      expect(await codeOf(app.getSessionToken({ minTtl }))).toBe("network")
    },
  )

  it.each([0, 1])("a token that ends between two looks (%d) at the clock is no logout", async (first) => {
    const { device } = await loggedIn()
    let looks = first
    const clock = { ...device.clock, wall: () => device.clock.wall() + looks++ }
    const app = device.start({ platform: { ...device.platform(), clock } })
    await app.restore()
    device.clock.advance(299_980)
    for (let i = 0; i < 30; i++) expect(await app.getSessionToken({ minTtl: 0 })).toMatch(/^st\./)
  })

  it("begins one generation in ten seconds at most", async () => {
    const { device, app } = await loggedIn()
    const token = await app.getSessionToken()
    device.clock.advance(9_000)
    expect(await app.refresh()).toBe(token)
    device.clock.advance(2_000)
    const next = await app.refresh()
    expect(next).not.toBe(token)
    expect(await app.refresh()).toBe(next)
    expect(await device.start().refresh()).toBe(next)
    expect(generation(device)).toBe(1)
  })

  it("waits for the spacing only where there is no token at all", async () => {
    const { device, app } = await loggedIn()
    device.backend.settings.lifetime = 2
    device.clock.advance(HOUR)
    await app.getSessionToken()
    device.clock.advance(3_000)
    const start = device.clock.monotonic()
    expect(await app.getSessionToken()).toMatch(/^st\./)
    expect(device.clock.monotonic() - start).toBeGreaterThanOrEqual(6_900)
    expect(generation(device)).toBe(2)
  })

  it("a listener that throws breaks nothing", async () => {
    const { device, app } = await loggedIn()
    const reported: unknown[] = []
    const others = process.listeners("unhandledRejection")
    process.removeAllListeners("unhandledRejection")
    process.on("unhandledRejection", (error) => reported.push(error))
    const told: string[] = []
    app.subscribe(() => {
      throw new Error("of the app")
    })
    const stop = app.subscribe(({ type }) => told.push(type))
    device.clock.advance(HOUR)
    expect(await app.getSessionToken()).toMatch(/^st\./)
    stop()
    await app.logout()
    expect(told).toEqual(["refreshed"])
    await expect.poll(() => reported).toEqual(Array.from({ length: 2 }, () => new Error("of the app")))
    process.removeAllListeners("unhandledRejection")
    for (const other of others) process.on("unhandledRejection", other)
  })
})

describe("R19 P14 a device's clock that is wrong", () => {
  it.each([-10 * 365 * 24 * HOUR, 10 * 365 * 24 * HOUR])(
    "by %i ms from the start makes no difference",
    async (offset) => {
      const device = fakeDevice({ providers: [provider] })
      device.clock.jump(offset)
      const { app } = await loggedIn(device)
      const token = await app.getSessionToken()
      device.clock.advance(200_000)
      expect(await device.start().getSessionToken()).toBe(token)
      device.clock.advance(200_000)
      expect(await app.getSessionToken()).not.toBe(token)
      expect(steps(device)).toHaveLength(1)
    },
  )

  it("that jumps back by years does not make a token live longer", async () => {
    const { device, app } = await loggedIn()
    const token = await app.getSessionToken()
    device.clock.jump(-5 * 365 * 24 * HOUR)
    expect(await app.getSessionToken()).toBe(token)
    device.clock.advance(301_000)
    expect(await app.getSessionToken()).not.toBe(token)
    expect(steps(device)).toHaveLength(1)
  })

  it("that jumps back while the app is closed costs one step", async () => {
    const { device } = await loggedIn()
    device.clock.jump(-5 * 365 * 24 * HOUR)
    const app = device.start()
    const token = await app.getSessionToken()
    expect(token).toMatch(/^st\./)
    for (let i = 0; i < 20; i++) expect(await app.getSessionToken()).toBe(token)
    expect(steps(device)).toHaveLength(1)
    expect(app.session).not.toBeNull()
  })

  it("that jumps to and fro makes no storm of requests", async () => {
    const { device, app } = await loggedIn()
    const start = device.clock.monotonic()
    for (let i = 0; i < 50; i++) {
      device.clock.jump(i % 2 === 0 ? 365 * 24 * HOUR : -365 * 24 * HOUR)
      device.clock.advance(1_000)
      expect(await app.getSessionToken()).toMatch(/^st\./)
    }
    const seconds = (device.clock.monotonic() - start) / 1000
    expect(steps(device).length).toBeLessThanOrEqual(Math.ceil(seconds / 10))
    expect(revoked(device)).toEqual([undefined])
  })
})
