import { describe, expect, it } from "vitest"
import { hosted } from "../src/hosted.js"
import { answer, refusal } from "../src/testing/answers.js"
import { provider } from "../src/testing/backend.js"
import { codeOf, fakeDevice, honest, REDIRECT } from "../src/testing/device.js"

const MOUNT = "https://api.example.com/auth"

function hostedDevice() {
  const device = fakeDevice({ providers: [provider], flow: hosted(), device: { name: "Ada's phone" } })
  const stored = () => JSON.parse(device.storage.text() ?? "null")
  return { ...device, stored, device }
}

/** The honest callback of the page that was opened, with other members; `null` takes one away. */
function changed(url: string, members: Record<string, string | null>): string {
  const [base = "", query] = url.split("?")
  const all = new URLSearchParams(query)
  for (const [name, value] of Object.entries(members)) {
    if (value === null) all.delete(name)
    else all.set(name, value)
  }
  return `${base}?${all}`
}

describe("what the app asks for", () => {
  it("sends the challenge, never the verifier, and what the login was called with", async () => {
    const { device, backend } = hostedDevice()
    await device.start().login({ loginHint: "ada@example.com", uiLocales: "de en", appState: "mine" })
    const [start] = backend.to("POST /start")
    const [redeem] = backend.to("POST /redeem")
    expect(start?.body).toEqual({
      provider: "main",
      delivery: "redirect",
      state: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      device: { platform: "test", name: "Ada's phone" },
      redirect_uri: REDIRECT,
      login_hint: "ada@example.com",
      ui_locales: "de en",
    })
    expect(Object.keys(redeem?.body ?? {}).sort()).toEqual([
      "code_verifier",
      "handoff",
      "login_id",
      "session_challenge",
    ])
    expect(backend.to("POST /exchange")).toEqual([])
    expect(backend.to("GET /config")).toEqual([])
  })

  it("delivery: redirect is what there is without it", async () => {
    const device = fakeDevice({ providers: [provider], flow: hosted({ delivery: "redirect" }) })
    expect(await device.start().login()).toMatchObject({ status: "signed_in" })
    expect(device.backend.to("POST /start")[0]?.body).toMatchObject({ delivery: "redirect" })
  })

  it.each([{ prompt: "login" }, { params: { acr_values: "high" } }])(
    "A5: refuses %j, which the backend would not pass on, before anything is sent",
    async (options) => {
      const { device, backend } = hostedDevice()
      expect(await codeOf(device.start().login(options))).toBe("reserved_parameter")
      expect(backend.requests).toEqual([])
    },
  )

  it("asks which provider there is, and takes it; where there are several one has to be named", async () => {
    const device = fakeDevice({ flow: hosted() })
    expect(await device.start().login()).toMatchObject({ session: { provider: "main" } })
    device.backend.settings.providers = [provider, { ...provider, id: "other" }]
    const another = device.start()
    expect(await codeOf(another.login())).toBe("invalid_request")
    expect(device.backend.to("POST /start")).toHaveLength(1)
    expect(await another.login({ provider: "other" })).toMatchObject({ session: { provider: "other" } })
    device.backend.settings.providers = []
    expect(await codeOf(device.start().login())).toBe("invalid_request")
  })
})

describe("A6 B5 whose page is opened", () => {
  const started = (authorize_url: unknown, login_id = "abcdefghijklmnopqrstuv") =>
    answer(200, { login_id, authorize_url, expires_in: 600, poll_interval: 2 })

  it.each([
    "https://evil.example/auth/login/abcdefghijklmnopqrstuv",
    "https://api.example.com.evil.example/auth/login/abcdefghijklmnopqrstuv",
    "https://api.example.com@evil.example/auth/login/abcdefghijklmnopqrstuv",
    "https://api.example.com:8443/auth/login/abcdefghijklmnopqrstuv",
    "http://api.example.com/auth/login/abcdefghijklmnopqrstuv",
    "javascript:alert(1)//login/abcdefghijklmnopqrstuv",
    "/auth/login/abcdefghijklmnopqrstuv",
    `${MOUNT}/login/another`,
    `${MOUNT}/login/abcdefghijklmnopqrstuv?next=1`,
    `${MOUNT}/enter/abcdefghijklmnopqrstuv`,
  ])("%s is not opened, and nothing is kept", async (url) => {
    const { device, backend, opened, stored } = hostedDevice()
    backend.faults.push(started(url))
    expect(await codeOf(device.start().login())).toBe("issuer_mismatch")
    expect(opened).toEqual([])
    expect(stored()).toBeNull()
  })

  it.each([
    "https://api.example.com/elsewhere/login/abcdefghijklmnopqrstuv",
    "https://api.example.com:443/auth/login/abcdefghijklmnopqrstuv",
    "https://API.example.com/auth/login/abcdefghijklmnopqrstuv",
  ])("%s is the backend's: what stands before the login's name has to come back as iss", async (url) => {
    const { device, backend, stored } = hostedDevice()
    backend.faults.push(started(url))
    device.answer = async () => ({ type: "cancelled" })
    await device.start().login()
    expect(stored().logins).toMatchObject([{ issuer: url.split("/login/")[0], issRequired: true }])
  })

  it.each([{}, { login_id: "abc" }, { authorize_url: `${MOUNT}/login/` }])(
    "an answer without a page, %j, is no start",
    async (body) => {
      const { device, backend, opened } = hostedDevice()
      backend.faults.push(answer(200, body))
      expect(await codeOf(device.start().login())).toBe("network")
      expect(opened).toEqual([])
    },
  )

  it.each([
    [400, "redirect_uri_not_allowed"],
    [404, "not_found"],
  ])("%i %s ends the login before the browser opens, and is not asked again", async (status, code) => {
    const { device, backend, opened } = hostedDevice()
    backend.faults.push(refusal(status, code))
    expect(await codeOf(device.start().login())).toBe(code)
    expect([opened.length, backend.to("POST /start").length]).toEqual([0, 1])
  })

  it("429 and an outage are waited out", async () => {
    const { device, backend } = hostedDevice()
    backend.faults.push(refusal(429, "rate_limited", true, { "Retry-After": "1" }), "down", "portal")
    expect(await device.start().login()).toMatchObject({ status: "signed_in" })
    expect(backend.to("POST /start")).toHaveLength(4)
  })
})

describe("what comes back is judged", () => {
  it.each([
    ["another state", { state: "a".repeat(43) }],
    ["no state", { state: null }],
  ])("B1 B2: %s is nobody's answer: the login goes on, and ends with the right one", async (_, members) => {
    const { device, backend } = hostedDevice()
    const app = device.start()
    const told: string[] = []
    app.subscribe(({ type }) => told.push(type))
    device.answer = async (url, expects) => {
      const right = honest(backend, url)
      expect(expects(changed(right, members))).toBe(false)
      expect(expects(right.replace("com.example.app", "com.example.other"))).toBe(false)
      expect(expects(right)).toBe(true)
      expect(await app.handleRedirect(changed(right, members))).toBeNull()
      return { type: "callback", url: right }
    }
    expect(await app.login()).toMatchObject({ status: "signed_in" })
    expect(told).toEqual(["callback_ignored", "signed_in"])
  })

  it.each([
    ["the provider's iss", { iss: "https://id.example.com/" }, "issuer_mismatch"],
    ["another mount's iss", { iss: "https://api.example.com/other" }, "issuer_mismatch"],
    ["no iss", { iss: null }, "issuer_mismatch"],
    ["no handoff", { handoff: null }, "callback_invalid"],
    ["an empty handoff", { handoff: "" }, "callback_invalid"],
    ["a code in its place", { handoff: null, code: "abc" }, "callback_invalid"],
    ["a token beside it", { access_token: "abc" }, "callback_invalid"],
    ["access_denied", { handoff: null, error: "access_denied" }, "access_denied"],
    ["server_error", { handoff: null, error: "server_error" }, "authorization_error"],
    [
      "access_denied of somebody else",
      { error: "access_denied", iss: "https://x.example" },
      "issuer_mismatch",
    ],
  ])("B4 B5 B6: %s ends the login, and nothing is redeemed", async (_, members, code) => {
    const { device, backend, stored } = hostedDevice()
    device.answer = async (url) => ({ type: "callback", url: changed(honest(backend, url), members) })
    expect(await codeOf(device.start().login())).toBe(code)
    expect(backend.to("POST /redeem")).toEqual([])
    expect(stored().logins).toEqual([])
  })

  it("B4: a handoff that is there twice ends the login", async () => {
    const { device, backend } = hostedDevice()
    device.answer = async (url) => ({ type: "callback", url: `${honest(backend, url)}&handoff=other` })
    expect(await codeOf(device.start().login())).toBe("callback_invalid")
  })

  it("J4: another handoff is refused by the backend, and burns nothing", async () => {
    const { device, backend, stored } = hostedDevice()
    device.answer = async (url) => ({
      type: "callback",
      url: changed(honest(backend, url), { handoff: "x" }),
    })
    expect(await codeOf(device.start().login())).toBe("login_failed")
    expect(stored().logins).toEqual([])
  })

  it("P1: cancelled, and the handoff comes later by a link: signed in all the same", async () => {
    const { device, backend, opened } = hostedDevice()
    device.answer = async () => ({ type: "cancelled" })
    const app = device.start()
    expect(await app.login()).toEqual({ status: "cancelled" })
    const signedIn = new Promise((resolve) => {
      app.subscribe((event) => event.type === "signed_in" && resolve(event))
    })
    device.link(honest(backend, opened[0] ?? ""))
    expect(await signedIn).toMatchObject({ session: { provider: "main" } })
  })

  it("P4 B3: the same handoff twice is one request; another one for the same login is too late", async () => {
    const { device, backend, opened } = hostedDevice()
    device.answer = () => new Promise(() => {})
    const app = device.start()
    const login = app.login()
    await expect.poll(() => opened).toHaveLength(1)
    const url = honest(backend, opened[0] ?? "")
    backend.faults.push(async () => {
      expect(await app.handleRedirect(changed(url, { handoff: "another" }))).toBeNull()
      return undefined
    })
    const results = await Promise.all([app.handleRedirect(url), app.handleRedirect(url), login])
    expect(new Set(results.map((result) => result && "session" in result && result.session?.id)).size).toBe(1)
    expect(backend.to("POST /redeem")).toHaveLength(1)
    expect(await app.handleRedirect(url)).toBeNull()
  })
})
