import { createHash } from "node:crypto"
import { describe, expect, it, vi } from "vitest"
import type { PkceClientEvent } from "../src/session/events.js"
import { answer, refusal } from "../src/testing/answers.js"
import { ISSUER, provider } from "../src/testing/backend.js"
import { codeOf, fakeDevice, honest, REDIRECT } from "../src/testing/device.js"

const paramsOf = (url: string | undefined) => new URL(url ?? "").searchParams
const recordOf = (device: ReturnType<typeof fakeDevice>) => JSON.parse(device.storage.text() ?? "null")

describe("a login", () => {
  it("asks the provider, redeems at the backend, and is there after a restart", async () => {
    const device = fakeDevice({ device: { name: "Ada's phone" } })
    const result = await device
      .start()
      .login({ appState: "/cart", loginHint: "ada", prompt: "login", uiLocales: "de" })
    expect(result).toMatchObject({ status: "signed_in", appState: "/cart", session: { provider: "main" } })
    const asked = paramsOf(device.opened[0])
    expect(Object.fromEntries(asked)).toMatchObject({
      client_id: "app",
      redirect_uri: REDIRECT,
      scope: "openid profile",
      login_hint: "ada",
      prompt: "login",
      ui_locales: "de",
      code_challenge_method: "S256",
    })
    const [exchange] = device.backend.to("POST /exchange")
    expect(exchange?.body).toMatchObject({
      provider: "main",
      redirect_uri: REDIRECT,
      iss: ISSUER,
      device: { name: "Ada's phone", platform: "test" },
    })
    expect((await device.start().restore()).session).toEqual(result.status === "signed_in" && result.session)
  })

  it("asks the backend for the providers each time, and not at all where they are given", async () => {
    const device = fakeDevice()
    const app = device.start()
    await app.login()
    await app.login()
    expect(device.backend.to("GET /config")).toHaveLength(2)
    const given = fakeDevice({ providers: [provider] })
    await given.start().login()
    expect(given.backend.to("GET /config")).toHaveLength(0)
  })

  it("asks again after the backend could not be reached", async () => {
    const device = fakeDevice()
    const app = device.start()
    device.backend.settings.whileDown = true
    expect(await codeOf(app.login())).toBe("network")
    device.backend.settings.whileDown = false
    expect(await app.login()).toMatchObject({ status: "signed_in" })
  })

  it("is cancelled by the user or the app, and that is a result", async () => {
    const device = fakeDevice()
    const app = device.start()
    device.answer = async () => ({ type: "cancelled" })
    expect(await app.login()).toEqual({ status: "cancelled" })
    device.answer = () => new Promise(() => {})
    const controller = new AbortController()
    const login = app.login({ signal: controller.signal })
    await vi.waitFor(() => expect(device.opened).toHaveLength(2))
    controller.abort()
    expect(await login).toEqual({ status: "cancelled" })
    expect(app.session).toBeNull()
  })

  it("that the app ends before the browser opens opens none", async () => {
    const device = fakeDevice()
    const controller = new AbortController()
    device.backend.faults.push(() => {
      controller.abort()
      return undefined
    })
    device.answer = () => new Promise(() => {})
    expect(await device.start().login({ signal: controller.signal })).toEqual({ status: "cancelled" })
    expect(device.opened).toEqual([])
  })

  it("ends with the session that handleRedirect makes while it waits", async () => {
    const device = fakeDevice()
    const app = device.start()
    device.answer = () => new Promise(() => {})
    const login = app.login({ appState: "here" })
    await vi.waitFor(() => expect(device.opened).toHaveLength(1))
    expect(await app.handleRedirect(`${REDIRECT}?code=1&state=another`)).toBeNull()
    const handled = await app.handleRedirect(honest(device.backend, device.opened[0] ?? ""))
    expect(handled).toMatchObject({ status: "signed_in", appState: "here" })
    expect(await login).toEqual(handled)
    expect(device.backend.to("POST /exchange")).toHaveLength(1)
  })

  it("or with what handleRedirect is refused: the error is told once", async () => {
    const device = fakeDevice()
    const app = device.start()
    device.answer = () => new Promise(() => {})
    const login = app.login().catch((error) => error.code)
    await vi.waitFor(() => expect(device.opened).toHaveLength(1))
    const state = paramsOf(device.opened[0]).get("state")
    const refusal = `${REDIRECT}?error=access_denied&state=${state}&iss=${encodeURIComponent(ISSUER)}`
    expect(await app.handleRedirect(refusal)).toBeNull()
    expect(await login).toBe("access_denied")
  })

  it("can be finished although the system said cancelled", async () => {
    const device = fakeDevice()
    const app = device.start()
    device.answer = async () => ({ type: "cancelled" })
    await app.login()
    const late = await app.handleRedirect(honest(device.backend, device.opened[0] ?? ""))
    expect(late).toMatchObject({ status: "signed_in" })
  })

  it("fails typed where the browser cannot be shown", async () => {
    const device = fakeDevice()
    device.answer = () => Promise.reject(new Error("marker"))
    const error = await device
      .start()
      .login()
      .catch((e) => e)
    expect(error).toMatchObject({ code: "authorization_error", phase: "start" })
    expect(String(error.stack)).not.toContain("marker")
  })

  it("of text that no URL can hold is an invalid request, and opens nothing", async () => {
    const device = fakeDevice()
    expect(await codeOf(device.start().login({ loginHint: "\ud800" }))).toBe("invalid_request")
    expect(device.opened).toEqual([])
  })

  it("picks the provider and its redirect URI by id", async () => {
    const other = { ...provider, id: "other", issuer: "https://other.example/", client_id: "app-2" }
    const device = fakeDevice({ redirectUri: { main: REDIRECT, other: "com.example.app://other/callback" } })
    device.backend.settings.providers = [provider, other]
    const app = device.start()
    device.answer = async () => ({ type: "cancelled" })
    await app.login({ provider: "other" })
    expect(paramsOf(device.opened[0]).get("client_id")).toBe("app-2")
    expect(paramsOf(device.opened[0]).get("redirect_uri")).toBe("com.example.app://other/callback")
    expect(await codeOf(app.login({ provider: "third" }))).toBe("redirect_uri_not_allowed")
    expect(await codeOf(app.login())).toBe("redirect_uri_not_allowed")
    expect(await codeOf(device.start({ redirectUri: REDIRECT }).login())).toBe("invalid_request")
    expect(device.opened).toHaveLength(1)
  })
})

describe("attack rows", () => {
  it("A1 no secure randomness: refused before the browser opens", async () => {
    const device = fakeDevice()
    const crypto = { randomBytes: () => new Uint8Array(0), sha256: (data: Uint8Array) => data }
    const app = device.start({ platform: { ...device.platform(), crypto } })
    expect(await codeOf(app.login())).toBe("crypto_unavailable")
    expect(device.opened).toEqual([])
    expect(device.backend.requests).toEqual([])
  })

  it("A4 state, nonce, verifier and session verifier are four draws, and only what must be is in the URL", async () => {
    const device = fakeDevice()
    device.answer = async () => ({ type: "cancelled" })
    await device.start().login()
    const [{ state, step, request }] = recordOf(device).logins
    const { nonce, code_verifier: verifier } = request
    expect(new Set([state, nonce, verifier, step.verifier]).size).toBe(4)
    const url = device.opened[0] ?? ""
    expect([url.includes(state), url.includes(nonce)]).toEqual([true, true])
    expect([verifier, step.verifier, step.challenge].filter((secret) => url.includes(secret))).toEqual([])
    expect(paramsOf(url).get("code_challenge")).toBe(
      createHash("sha256").update(verifier).digest("base64url"),
    )
  })

  it.each([{ state: "x" }, { client_id: "x" }, { audience: "other" }])(
    "A5 the app cannot set what protocol and backend set: %o",
    async (params) => {
      const device = fakeDevice()
      device.backend.settings.providers = [{ ...provider, authorization_params: { audience: "api" } }]
      expect(await codeOf(device.start().login({ params }))).toBe("reserved_parameter")
      expect(device.opened).toEqual([])
      expect(device.storage.text()).toBeNull()
    },
  )

  it("A7 five logins wait at most, the oldest goes, and old ones are swept", async () => {
    const device = fakeDevice()
    const app = device.start()
    device.answer = async () => ({ type: "cancelled" })
    for (let i = 0; i < 7; i++) await app.login()
    expect(recordOf(device).logins).toHaveLength(5)
    expect(recordOf(device).logins[0].state).toBe(paramsOf(device.opened[2]).get("state"))
    device.clock.advance(600_001)
    await app.login()
    expect(recordOf(device).logins).toHaveLength(1)
  })

  it.each(["http://id.example.com/authorize", "myapp://authorize"])("A8 refuses %s", async (endpoint) => {
    const device = fakeDevice()
    device.backend.settings.providers = [{ ...provider, authorization_endpoint: endpoint }]
    expect(await codeOf(device.start().login())).toBe("insecure_endpoint")
    expect(device.opened).toEqual([])
  })

  it.each([
    "http://api.example.com/auth",
    "api.example.com/auth",
    "//api.example.com",
    "https://api.example.com/a?b",
  ])("A8 refuses the server %s", (server) => {
    expect(() => fakeDevice({ server }).start()).toThrow("insecure_endpoint")
  })

  it("A8 refuses an API over plain http", () => {
    expect(() => fakeDevice({ apiOrigins: ["http://api.example.com"] }).start()).toThrow("insecure_endpoint")
  })

  it("B1 a callback with another state sends nothing, and the real login goes on", async () => {
    const device = fakeDevice()
    const app = device.start()
    const events: PkceClientEvent[] = []
    app.subscribe((event) => events.push(event))
    device.answer = async (url, expects) => {
      const forged = `${REDIRECT}?code=evil&state=${"x".repeat(43)}`
      expect(expects(forged)).toBe(false)
      expect(await app.handleRedirect(forged)).toBeNull()
      expect(device.backend.to("POST /exchange")).toEqual([])
      const real = honest(device.backend, url)
      expect(expects(real)).toBe(true)
      return { type: "callback", url: real }
    }
    expect(await app.login()).toMatchObject({ status: "signed_in" })
    expect(events[0]).toMatchObject({ type: "callback_ignored", error: { code: "state_mismatch" } })
  })

  it("B2 without a state, and without a login that waits", async () => {
    const device = fakeDevice()
    const app = device.start()
    const codes: string[] = []
    app.subscribe((event) => event.type === "callback_ignored" && codes.push(event.error.code))
    expect(await app.handleRedirect(`${REDIRECT}?code=c`)).toBeNull()
    expect(await app.handleRedirect(`${REDIRECT}?code=c&state=`)).toBeNull()
    device.answer = async () => ({ type: "cancelled" })
    await app.login()
    expect(await app.handleRedirect(`${REDIRECT}?code=c`)).toBeNull()
    expect(codes).toEqual(["callback_unexpected", "callback_unexpected", "state_mismatch"])
    expect(device.backend.to("POST /exchange")).toEqual([])
  })

  it("B3 the same callback many times at once is one exchange, and used afterwards", async () => {
    const device = fakeDevice()
    const app = device.start()
    device.answer = async () => ({ type: "cancelled" })
    await app.login()
    const url = honest(device.backend, device.opened[0] ?? "")
    const results = await Promise.all([url, url, url].map((copy) => app.handleRedirect(copy)))
    expect(results.map((result) => result?.session.id)).toEqual(Array(3).fill(app.session?.id))
    expect(device.backend.to("POST /exchange")).toHaveLength(1)
    const codes: string[] = []
    app.subscribe((event) => event.type === "callback_ignored" && codes.push(event.error.code))
    expect(await app.handleRedirect(url)).toBeNull()
    expect(await app.handleRedirect(url.replace("code=", "code=other"))).toBeNull()
    expect(codes).toEqual(["callback_used", "callback_used"])
    expect(device.backend.to("POST /exchange")).toHaveLength(1)
  })

  it("B3 two tabs, one callback: every request that leaves is the same one", async () => {
    const device = fakeDevice()
    const tabs = [device.start(), device.start()]
    device.answer = async () => ({ type: "cancelled" })
    await tabs[0]?.login()
    const url = honest(device.backend, device.opened[0] ?? "")
    const results = await Promise.all(tabs.map((tab) => tab.handleRedirect(url)))
    expect(new Set(results.map((result) => result?.session.id)).size).toBe(1)
    expect(new Set(device.backend.to("POST /exchange").map(({ body }) => JSON.stringify(body))).size).toBe(1)
    expect(device.backend.rows.size).toBe(1)
  })

  it("B3 another code under the state of a taken login comes too late", async () => {
    const device = fakeDevice()
    const app = device.start()
    device.answer = async () => ({ type: "cancelled" })
    await app.login()
    device.backend.settings.whileDown = true
    const url = honest(device.backend, device.opened[0] ?? "")
    expect(await codeOf(app.handleRedirect(url))).toBe("network")
    device.backend.settings.whileDown = false
    expect(await app.handleRedirect(url.replace("code=", "code=other"))).toBeNull()
    expect(await app.handleRedirect(url)).toMatchObject({ status: "signed_in" })
    const codes = device.backend.to("POST /exchange").map(({ body }) => body.code)
    expect(new Set(codes).size).toBe(1)
  })

  it("B2 what is no text at all, such as the initial URL of an app that has none, is nobody's callback", async () => {
    const app = fakeDevice().start()
    await app.login()
    for (const url of [null, undefined, 5, {}]) expect(await app.handleRedirect(url as string)).toBeNull()
  })

  it("B4 a stranger's callback changes neither session nor record", async () => {
    const device = fakeDevice()
    const app = device.start()
    await app.login()
    const before = device.storage.text()
    expect(await app.handleRedirect(`${REDIRECT}?code=evil&state=evil`)).toBeNull()
    expect(device.storage.text()).toBe(before)
    expect(device.backend.to("POST /exchange")).toHaveLength(1)
  })

  it("B5 an answer of another provider ends the login, and its code goes nowhere", async () => {
    const device = fakeDevice()
    const app = device.start()
    device.answer = async (url) => ({
      type: "callback",
      url: honest(device.backend, url).replace(encodeURIComponent(ISSUER), "https%3A%2F%2Fevil.example"),
    })
    expect(await codeOf(app.login())).toBe("issuer_mismatch")
    device.answer = async (url) => ({
      type: "callback",
      url: honest(device.backend, url).replace(/&iss=.*/, ""),
    })
    expect(await codeOf(app.login())).toBe("issuer_mismatch")
    expect(device.backend.to("POST /exchange")).toEqual([])
    expect(recordOf(device).logins).toEqual([])
  })

  it("B5 providers that do not send iss may not share a redirect URI", async () => {
    const device = fakeDevice({ provider: "main" })
    device.backend.settings.providers = [
      { ...provider, iss_in_callback: false },
      { ...provider, id: "other", issuer: "https://other.example/" },
    ]
    expect(await codeOf(device.start().login())).toBe("redirect_uri_not_allowed")
    expect(
      await device.start({ redirectUri: { main: REDIRECT, other: "com.example.app://b" } }).login(),
    ).toMatchObject({
      status: "signed_in",
    })
  })

  it.each(["&code=evil", "&id_token=x", "#access_token=x", "&response=x"])(
    "B6 %s ends the login",
    async (tail) => {
      const device = fakeDevice()
      device.answer = async (url) => ({ type: "callback", url: honest(device.backend, url) + tail })
      expect(await codeOf(device.start().login())).toBe("callback_invalid")
      expect(device.backend.to("POST /exchange")).toEqual([])
    },
  )

  it("B7 a refusal by the user is access_denied, and ends the login", async () => {
    const device = fakeDevice()
    const app = device.start()
    device.answer = async (url) => ({
      type: "callback",
      url: `${REDIRECT}?error=access_denied&error_description=no&state=${paramsOf(url).get("state")}&iss=${encodeURIComponent(ISSUER)}`,
    })
    const error = await app.login().catch((e) => e)
    expect(error).toMatchObject({ code: "access_denied", untrustedIdpText: "access_denied: no" })
    expect(recordOf(device)).toMatchObject({ logins: [], used: [paramsOf(device.opened[0]).get("state")] })
  })

  it.each([
    ["both clocks", (d: ReturnType<typeof fakeDevice>) => d.clock.advance(600_001)],
    ["the device's clock alone", (d: ReturnType<typeof fakeDevice>) => d.clock.jump(600_001)],
    [
      "the monotonic clock alone",
      (d: ReturnType<typeof fakeDevice>) => {
        d.clock.advance(600_001)
        d.clock.jump(-600_001)
      },
    ],
  ])("B9 a login of more than ten minutes by %s is over", async (_, pass) => {
    const device = fakeDevice()
    const app = device.start()
    device.answer = async () => ({ type: "cancelled" })
    await app.login()
    pass(device)
    expect(await codeOf(app.handleRedirect(honest(device.backend, device.opened[0] ?? "")))).toBe(
      "flow_expired",
    )
    expect(device.backend.to("POST /exchange")).toEqual([])
  })

  it("B9 after a restart, a clock that went back never makes a login live longer", async () => {
    const device = fakeDevice()
    device.answer = async () => ({ type: "cancelled" })
    await device.start().login()
    device.clock.jump(-1)
    expect(await codeOf(device.start().handleRedirect(honest(device.backend, device.opened[0] ?? "")))).toBe(
      "flow_expired",
    )
  })

  it("B9 a take that could not be stored keeps the login's age by the clock that never goes back", async () => {
    const device = fakeDevice()
    const app = device.start()
    device.answer = async () => ({ type: "cancelled" })
    await app.login()
    const url = honest(device.backend, device.opened[0] ?? "")
    device.storage.at(1, "fails")
    expect(await codeOf(app.handleRedirect(url))).toBe("storage_unavailable")
    device.clock.advance(660_000)
    device.clock.jump(-630_000)
    expect(await codeOf(app.handleRedirect(url))).toBe("flow_expired")
  })

  it("B10 the callback is out of the address bar before anything else is done", async () => {
    const device = fakeDevice()
    device.answer = async () => ({ type: "left" })
    expect(await device.start().login()).toEqual({ status: "left" })
    device.callbackUrl = honest(device.backend, device.opened[0] ?? "")
    const platform = device.platform()
    let reads = 0
    const app = device.start({
      platform: {
        ...platform,
        storage: {
          ...platform.storage,
          read: async () => {
            reads++
            expect(device.cleared).toBe(1)
            return device.storage.text()
          },
        },
      },
    })
    expect((await app.restore()).login).toMatchObject({ status: "signed_in" })
    expect(reads).toBeGreaterThan(0)
  })

  it("C14 the session that was there before ends, once the new one is stored", async () => {
    const device = fakeDevice({ providers: [provider] })
    const app = device.start()
    await app.login()
    const first = app.session?.id ?? ""
    let stored: string | undefined
    device.backend.faults.push(
      () => undefined,
      ({ route }) => {
        if (route === "POST /logout") stored = recordOf(device).session.id
        return undefined
      },
    )
    await app.login()
    await vi.waitFor(() => expect(device.backend.rows.get(first)?.revoked).toBe("session_revoked"))
    expect(stored).toBe(app.session?.id)
    expect(app.session?.id).not.toBe(first)
  })
})

describe("restore", () => {
  it("finds the session that another process has made since", async () => {
    const device = fakeDevice()
    const { changes: _, ...alone } = device.platform()
    const daemon = device.start({ platform: alone })
    expect(await daemon.restore()).toEqual({ session: null })
    await device.start().login()
    expect((await daemon.restore()).session).not.toBeNull()
    expect(await daemon.getSessionToken()).toMatch(/^st\./)
  })

  it("P6 finishes the login that a redirect left, once for two callers", async () => {
    const device = fakeDevice()
    device.answer = async () => ({ type: "left" })
    await device.start().login({ appState: "here" })
    device.callbackUrl = honest(device.backend, device.opened[0] ?? "")
    const app = device.start()
    const [first, second] = await Promise.all([app.restore(), app.restore()])
    expect(first).toBe(second)
    expect(first).toMatchObject({
      session: { id: app.session?.id },
      login: { status: "signed_in", appState: "here" },
    })
    expect(device.backend.to("POST /exchange")).toHaveLength(1)
    expect(await app.restore()).toEqual({ session: app.session })
  })

  it("says why the login failed", async () => {
    const device = fakeDevice()
    device.answer = async () => ({ type: "left" })
    await device.start().login()
    device.callbackUrl = honest(device.backend, device.opened[0] ?? "").replace("code=", "code=spent")
    const { session, login } = await device.start().restore()
    expect(session).toBeNull()
    expect(login).toMatchObject({ status: "failed", error: { code: "login_failed" } })
  })

  it("leaves other addresses, and their parameters, alone", async () => {
    const device = fakeDevice()
    device.callbackUrl = "com.example.app://auth/other?code=1&state=2"
    expect(await device.start().restore()).toEqual({ session: null })
    expect(device.cleared).toBe(0)
    expect(device.backend.requests).toEqual([])
  })

  it("R30 P9 asks the network nothing where no login is under way", async () => {
    const device = fakeDevice()
    await device.start().login()
    device.backend.settings.whileDown = true
    const before = device.backend.requests.length
    device.clock.advance(29 * 86_400_000)
    expect((await device.start().restore()).session).not.toBeNull()
    expect(device.backend.requests).toHaveLength(before)
  })
})

describe("the exchange", () => {
  it.each<[string, () => Parameters<ReturnType<typeof fakeDevice>["backend"]["faults"]["push"]>]>([
    ["a lost answer", () => ["lost", "lost"]],
    ["no connection", () => ["down", "down", "down"]],
    ["a captive portal", () => ["portal", "down"]],
    ["a proxy's error", () => [new Response("no", { status: 502 }), new Response("<html>", { status: 404 })]],
    [
      "a backend in trouble",
      () => [refusal(503, "unavailable", true), refusal(409, "exchange_in_progress", true)],
    ],
    ["too many requests", () => [refusal(429, "rate_limited", true, { "Retry-After": "3" })]],
    ["an answer that hangs", () => ["hangs"]],
  ])("F2 survives %s with identical requests", async (_, faults) => {
    const device = fakeDevice({ providers: [provider] })
    device.backend.faults.push(...faults())
    expect(await device.start().login()).toMatchObject({ status: "signed_in" })
    const bodies = device.backend.to("POST /exchange").map(({ body }) => JSON.stringify(body))
    expect(bodies.length).toBeGreaterThan(1)
    expect(new Set(bodies).size).toBe(1)
  })

  it("waits as long as it is told to", async () => {
    const device = fakeDevice({ providers: [provider] })
    device.backend.faults.push(refusal(429, "rate_limited", true, { "Retry-After": "7" }))
    const start = device.clock.monotonic()
    await device.start().login()
    expect(device.clock.monotonic() - start).toBeGreaterThanOrEqual(7000)
  })

  it("gives up after four tries; restore goes on with it", async () => {
    const device = fakeDevice({ providers: [provider] })
    device.backend.settings.whileDown = true
    expect(
      await device
        .start()
        .login()
        .catch((e) => e),
    ).toMatchObject({ code: "network", retryable: true })
    expect(device.backend.to("POST /exchange")).toHaveLength(4)
    const again = device.start()
    expect((await again.restore()).login).toMatchObject({ status: "failed", error: { code: "network" } })
    device.backend.settings.whileDown = false
    expect((await again.restore()).login).toMatchObject({ status: "signed_in" })
    expect(new Set(device.backend.to("POST /exchange").map(({ body }) => JSON.stringify(body))).size).toBe(1)
  })

  it.each([
    [400, "login_failed"],
    [409, "exchange_interrupted"],
    [502, "idp_bad_response"],
  ])("%i %s is the backend's last word", async (status, code) => {
    const device = fakeDevice({ providers: [provider] })
    device.backend.faults.push(refusal(status, code))
    const error = await device
      .start()
      .login()
      .catch((e) => e)
    expect(error).toMatchObject({ code, phase: "exchange", retryable: false, errorId: "0123456789abcdef" })
    expect(recordOf(device).logins).toEqual([])
    expect(await device.start().restore()).toEqual({ session: null })
  })

  it("takes no code from the backend that is none", async () => {
    const device = fakeDevice({ providers: [provider] })
    device.backend.faults.push(answer(400, { error: "<script>marker", retryable: false }))
    expect(await device.start().login()).toMatchObject({ status: "signed_in" })
  })

  it("goes on with the next step where a late repeat brings no session token", async () => {
    const device = fakeDevice({ providers: [provider] })
    device.backend.faults.push("lost", () => {
      device.clock.advance(40_000)
      return refusal(503, "unavailable", true)
    })
    // The first restart finds the session created 40 s ago.
    await device
      .start()
      .login()
      .catch(() => {})
    const app = device.start()
    await app.restore()
    expect(await app.getSessionToken()).toMatch(/^st\./)
    expect(device.backend.to("POST /refresh")).toHaveLength(1)
  })

  it("a logout while the exchange runs is final", async () => {
    const device = fakeDevice({ providers: [provider] })
    const app = device.start()
    device.backend.faults.push(async () => {
      await app.logout()
      return undefined
    })
    expect(await codeOf(app.login())).toBe("callback_used")
    expect(app.session).toBeNull()
    expect(recordOf(device)).toBeNull()
    await vi.waitFor(() => expect([...device.backend.rows.values()][0]?.revoked).toBe("session_revoked"))
  })
})
