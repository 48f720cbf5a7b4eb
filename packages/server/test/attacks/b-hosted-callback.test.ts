import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { createPkceServer } from "../../src/server.js"
import {
  APP,
  backOf,
  type HostedRoom,
  handoffOf,
  type Login,
  MOUNT,
  openHosted,
  polling,
  redemption,
  targetOf,
  tokenOf,
  verdict,
  withParameter,
} from "../support/hosted-room.js"
import { parsed, random } from "../support/server.js"

let room: HostedRoom
beforeEach(async () => {
  room = await openHosted({}, { metadata: { backchannel_logout_supported: true } })
})
afterEach(() => room.close())

const reasons = () => room.events.flatMap((event) => ("reason" in event ? [event.reason] : []))
const poll = (login: Login) => room.post("/poll", polling(login, random()))

/** Nothing was spent, and the browser that was sent to the provider can still finish. */
async function expectUntouched(finish: () => Promise<{ status: number; body: string }>) {
  expect(room.idp.calls.token).toBe(0)
  expect(handoffOf((await finish()) as never)).toHaveLength(43)
}

describe("what the provider says", () => {
  it.each([
    ["of another provider", "https://evil.example", "callback_issuer_mismatch"],
    ["left out where it is promised", null, "callback_issuer_missing"],
  ])("B5: iss %s spends nothing, and the honest answer is still good", async (_, iss, reason) => {
    const browser = room.browser()
    const login = await room.start()
    const callback = await browser.logIn(login)
    for (const url of [callback, `${withParameter(callback, "code", null)}&error=access_denied`]) {
      expect((await browser.visit(withParameter(url, "iss", iss))).status).toBe(400)
      expect(reasons()).toContain(reason)
    }
    await expectUntouched(() => browser.visit(callback))
  })

  it.each([
    ["code", "x"],
    ["state", "x"],
    ["iss", "x"],
    ["error", "access_denied"],
    ["code", ""],
    ["padding", "x".repeat(16_384)],
  ])("a callback with %s once more is refused, and changes nothing", async (name, value) => {
    const browser = room.browser()
    const callback = await browser.logIn(await room.start())
    const refused = await browser.visit(`${callback}&${name}=${value}`)
    expect([refused.status, targetOf(refused)]).toEqual([400, null])
    expect(reasons()).toContain("callback_malformed")
    await expectUntouched(() => browser.visit(callback))
  })

  it("a callback without a code and without an error is refused, and changes nothing", async () => {
    const browser = room.browser()
    const callback = await browser.logIn(await room.start())
    expect((await browser.visit(withParameter(callback, "code", null))).status).toBe(400)
    expect((await browser.visit(`${MOUNT}/callback`)).status).toBe(400)
    await expectUntouched(() => browser.visit(callback))
  })

  it.each([
    ["access_denied", "access_denied", "access_denied"],
    ["<script>alert(1)</script>", "server_error", "authorization_error"],
  ])(
    "an error (%s) goes back to the app as %s, and a code after it is worth nothing",
    async (error, told, reason) => {
      const browser = room.browser()
      const login = await room.start()
      const callback = await browser.logIn(login)
      const failed = `${withParameter(callback, "code", null)}&error=${encodeURIComponent(error)}`
      const page = await browser.visit(failed)
      expect(backOf(page)).toEqual({ error: told, state: login.state, iss: MOUNT })
      const failure = room.events.find(({ type }) => type === "auth.hosted.failed")
      expect(failure).toMatchObject({
        provider: "default",
        reason,
        error_id: expect.stringMatching(/^\w{16}$/),
      })
      // A person reads the id of the event on the page.
      expect(page.body).toContain(`>${(failure as { error_id: string }).error_id}</code>`)
      expect(page.body).not.toContain("alert")
      for (const url of [failed, callback]) {
        const again = await browser.visit(url)
        expect(backOf(again)).toEqual({ error: told, state: login.state, iss: MOUNT })
      }
      expect(room.idp.calls.token).toBe(0)
      expect((await browser.visit(login.authorize_url)).status).toBe(410)
    },
  )

  it("an error ends a poll as 400 login_failed, and its page with it", async () => {
    const browser = room.browser()
    const login = await room.start({ delivery: "poll" })
    const token = String(tokenOf(await browser.visit(login.authorize_url)))
    const callback = await browser.logIn(login)
    await browser.visit(`${withParameter(callback, "code", null)}&error=access_denied`)
    expect(verdict(await poll(login))).toEqual([400, "login_failed"])
    expect((await browser.visit(login.authorize_url)).status).toBe(410)
    expect((await browser.click(login.authorize_url, token)).status).toBe(410)
    // The app has given up: nobody else may be led on either.
    expect((await room.browser().visit(login.authorize_url)).status).toBe(410)
  })

  it("an error after the success changes nothing: the same page, and the handoff is good", async () => {
    const browser = room.browser()
    const login = await room.start()
    const callback = await browser.logIn(login)
    const handoff = handoffOf(await browser.visit(callback))
    expect(handoffOf(await browser.visit(`${withParameter(callback, "code", null)}&error=x`))).toBe(handoff)
    expect((await room.post("/redeem", redemption(login, handoff, random()))).status).toBe(200)
  })
})

describe("the code", () => {
  it("is redeemed once: a reload, also at another process, shows the same handoff", async () => {
    const twin = createPkceServer(room.options)
    const browser = room.browser()
    const callback = await browser.logIn(await room.start())
    room.idp.faults.token = { delay: 100 }
    const pages = await Promise.all([
      browser.visit(callback),
      browser.visit(callback, { on: twin }),
      browser.visit(callback),
    ])
    const later = await browser.visit(callback, { on: twin })
    expect(new Set([...pages, later].map(handoffOf)).size).toBe(1)
    expect(room.idp.calls.token).toBe(1)
    await twin.close()
  })

  it("is waited for: no reload shows a handoff that may yet come to nothing", async () => {
    room.idp.faults.token = { delay: 100, status: 400, json: () => ({ error: "invalid_grant" }) }
    const browser = room.browser()
    const callback = await browser.logIn(await room.start())
    const pages = await Promise.all([
      browser.visit(callback),
      browser.visit(callback),
      browser.visit(callback),
    ])
    expect(pages.map(backOf)).toMatchObject(Array(3).fill({ error: "server_error" }))
  })

  it("is waited for by a reload also where the process's clock is ahead of the store's", async () => {
    room.jump(-120)
    const browser = room.browser()
    const callback = await browser.logIn(await room.start())
    room.idp.faults.token = { delay: 200 }
    const pages = await Promise.all([browser.visit(callback), browser.visit(callback)])
    expect(new Set(pages.map(handoffOf)).size).toBe(1)
  })

  it("of one login is worth nothing in another, whose app is told so", async () => {
    const browser = room.browser()
    const [one, other] = [await room.start(), await room.start({ redirect_uri: APP })]
    const [callback, target] = [await browser.logIn(one), await browser.logIn(other)]
    const code = new URL(callback).searchParams.get("code")
    expect(backOf(await browser.visit(withParameter(target, "code", code)))).toMatchObject({
      error: "server_error",
    })
    expect(reasons()).toContain("invalid_grant")
    // A second look could make the provider end what the first one gave (C2): the code is not shown to it again.
    expect(backOf(await browser.visit(callback))).toMatchObject({ error: "server_error" })
    expect([reasons().includes("code_replay"), room.idp.calls.token]).toEqual([true, 1])
  })

  it("that the provider refuses ends the login: the app gets an error, and a poll 400", async () => {
    room.idp.faults.idToken = ({ claims }) => {
      claims.nonce = "of another browser"
    }
    const browser = room.browser()
    const login = await room.start({ delivery: "poll" })
    const page = await browser.finish(login)
    expect([page.status, targetOf(page)]).toEqual([200, null])
    expect(reasons()).toContain("id_token_nonce_mismatch")
    expect(verdict(await poll(login))).toEqual([400, "login_failed"])
  })

  it("is kept through an outage of the provider: a 503 page, and its reload is the login", async () => {
    const browser = room.browser()
    const login = await room.start()
    const callback = await browser.logIn(login)
    const twin = createPkceServer(room.options)
    room.idp.faults.discovery = { status: 503 }
    room.idp.faults.jwks = { status: 503 }
    // A process that has not met the provider yet.
    const page = await browser.visit(callback, { on: twin })
    expect([page.status, targetOf(page), room.idp.calls.token]).toEqual([503, null, 0])
    room.idp.faults = {}
    await twin.close()
    const handoff = handoffOf(await browser.visit(callback))
    expect((await room.post("/redeem", redemption(login, handoff, random()))).status).toBe(200)
  })

  it("is kept through an outage of the provider's keys, and through one of our own", async () => {
    room.idp.faults.jwks = { status: 503 }
    const browser = room.browser()
    const callback = await browser.logIn(await room.start())
    expect([(await browser.visit(callback)).status, room.idp.calls.token]).toEqual([503, 0])
    const { claim } = room.store
    Object.assign(room.options.store ?? {}, { claim: () => Promise.reject(new TypeError("CANARY")) })
    const page = await browser.visit(callback)
    expect([page.status, targetOf(page), page.body.includes("CANARY")]).toEqual([503, null, false])
    Object.assign(room.options.store ?? {}, { claim })
    room.idp.faults = {}
    // Another process, since this one leaves the provider alone for a second.
    const twin = createPkceServer(room.options)
    expect(handoffOf(await browser.visit(callback, { on: twin }))).toHaveLength(43)
    await twin.close()
  })

  it("is spent by an outage in the middle of its redemption, and the app is told", async () => {
    room.idp.faults.token = { hangUp: "after" }
    const browser = room.browser()
    expect(backOf(await browser.finish(await room.start()))).toMatchObject({ error: "server_error" })
  })
})

describe("I10: a logout at the provider between callback and redemption", () => {
  it.each([
    ["the session", { sid: "s1" }],
    ["the user", { sid: undefined }],
  ])("I10: of %s refuses the handoff, and no session lives", async (_, claims) => {
    room.idp.user = { sub: "ada", sid: "s1" }
    const login = await room.start()
    const handoff = handoffOf(await room.browser().finish(login))
    const form = new URLSearchParams({ logout_token: room.idp.logoutToken({ sub: "ada", ...claims }) })
    const headers = { "content-type": "application/x-www-form-urlencoded" }
    expect(
      (await room.post("/backchannel-logout", undefined, { headers, raw: form.toString() })).status,
    ).toBe(200)
    const request = redemption(login, handoff, random())
    expect(verdict(await room.post("/redeem", request))).toEqual([400, "login_failed"])
    expect(reasons()).toContain("ended_at_provider")
    expect(parsed(await room.post("/redeem", request)).session_token).toBeUndefined()
    const page = await room.store.scan(null, 100)
    expect(page.rows).toEqual([])
  })
})

describe("a provider that was taken out of the configuration", () => {
  it("ends the logins that were started with it, on every leg", async () => {
    const browser = room.browser()
    const [login, polled] = [await room.start(), await room.start({ delivery: "poll" })]
    const callback = await browser.logIn(login)
    const token = String(tokenOf(await browser.visit(polled.authorize_url)))
    const { issuer, clientId, clientSecret, redirectUris, ...options } = room.options
    const other = createPkceServer({
      ...options,
      providers: { other: { issuer, clientId, clientSecret, redirectUris } as never },
    })
    const on = { on: other }
    const answers = [
      await browser.visit(callback, on),
      await browser.visit(login.authorize_url, on),
      await browser.visit(polled.authorize_url, on),
      await browser.click(polled.authorize_url, token, other),
    ]
    expect(answers.map(({ status }) => status)).toEqual([410, 410, 410, 410])
    await other.close()
    expect(handoffOf(await browser.visit(callback))).toHaveLength(43)
  })
})
