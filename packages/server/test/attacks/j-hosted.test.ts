import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { createPkceServer } from "../../src/server.js"
import {
  APP,
  type HostedRoom,
  handoffOf,
  MOUNT,
  messageOf,
  openHosted,
  PAGE,
  targetOf,
  verdict,
} from "../support/hosted-room.js"
import { random, s256 } from "../support/server.js"

let room: HostedRoom
beforeEach(async () => {
  room = await openHosted()
})
afterEach(() => room.close())

const start = (request: object) =>
  room.post("/start", { delivery: "redirect", state: random(), code_challenge: s256(random()), ...request })

describe("J1: open redirects", () => {
  it.each([
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:\\\\evil.example",
    "%2f%2fevil.example",
    `${APP}/`,
    `${APP}#x`,
    `${APP}?x=1`,
    `${APP}%2f..`,
    `${APP}\n`,
    `${APP}\t`,
    ` ${APP}`,
    APP.toUpperCase(),
    APP.replace(":/", ":///"),
    "com.example.app.evil:/callback",
    "https://app.example.com/signed-in",
    "https://app.example.com/signed-in?x=%2F&app=1",
    "https://app.example.com/signed-in?app=1&x=/",
    "https://app.example.com/signed-in?app=1&x=%2f",
    "https://app.example.com/signed-in?app=1&x=%2F&y=2",
    "https://user@app.example.com/signed-in?app=1&x=%2F",
    "https://app.example.com:443/signed-in?app=1&x=%2F",
    "https://app.example.com@evil.example/signed-in?app=1&x=%2F",
    "http://app.example.com/signed-in?app=1&x=%2F",
    "http://127.0.0.1:80@evil.example/callback",
    "http://127.0.0.1:0/callback",
    "http://127.0.0.1:65536/callback",
    "http://127.0.0.1:080/callback",
    "http://127.0.0.1/callback/",
    "http://127.0.0.1.evil.example/callback",
    "http://127.1/callback",
    "http://localhost/callback",
    "https://127.0.0.1/callback",
    "javascript:alert(1)",
    PAGE,
  ])("J1: %j is not, byte for byte, what was registered", async (redirect_uri) => {
    expect(verdict(await start({ redirect_uri }))).toEqual([400, "redirect_uri_not_allowed"])
    expect(room.store.calls).toEqual({})
  })

  it("J1: a redirect needs a target, a poll has none, and a member of a body is there once", async () => {
    for (const request of [{}, { delivery: "poll", redirect_uri: APP }, { redirect_uri: [APP, APP] }])
      expect(verdict(await start(request))).toEqual([400, "invalid_request"])
    const raw = `{"delivery":"redirect","redirect_uri":"${APP}","redirect_uri":"https://evil.example/","state":"${random()}","code_challenge":"${s256(random())}"}`
    expect(verdict(await room.post("/start", undefined, { raw }))).toEqual([400, "invalid_request"])
    expect(room.store.calls).toEqual({})
  })

  it("J1: nothing that the browser says moves it: parameters, headers, the provider's answer", async () => {
    const login = await room.start()
    const browser = room.browser()
    const headers = {
      host: "evil.example",
      "x-forwarded-host": "evil.example",
      forwarded: "host=evil.example",
    }
    const query = "?redirect_uri=https://evil.example/&returnTo=//evil.example&state=x"
    const page = await browser.visit(login.authorize_url + query, { headers })
    expect(page.headers.Location?.startsWith(`${room.idp.origin}/authorize?`)).toBe(true)
    expect(new URL(String(page.headers.Location)).searchParams.get("redirect_uri")).toBe(`${MOUNT}/callback`)
    const callback = `${await browser.logIn(login)}&redirect_uri=https://evil.example/`
    const end = await browser.visit(callback, { headers })
    expect(targetOf(end)?.split("?")[0]).toBe(APP)
    expect(JSON.stringify([page, end])).not.toContain("evil")
  })

  it("J1: the app's own query stays as it was registered, and the answer comes after it", async () => {
    const redirect_uri = "https://app.example.com/signed-in?app=1&x=%2F"
    const login = await room.start({ redirect_uri })
    const target = String(targetOf(await room.browser().finish(login)))
    expect(target.startsWith(`${redirect_uri}&handoff=`)).toBe(true)
    expect(Object.keys(Object.fromEntries(new URL(target).searchParams))).toEqual([
      "app",
      "x",
      "handoff",
      "state",
      "iss",
    ])
    expect(new URL(target).searchParams.get("state")).toBe(login.state)
    expect(new URL(target).searchParams.get("iss")).toBe(MOUNT)
  })

  it.each(["http://127.0.0.1:49152/callback", "http://127.0.0.1/callback"])(
    "J1: %s is told by a plain redirect, success and failure",
    async (redirect_uri) => {
      for (const error of [null, "access_denied"]) {
        const login = await room.start({ redirect_uri })
        const browser = room.browser()
        const callback = await browser.logIn(login)
        const answer = await browser.visit(
          error ? `${callback.replace(/code=[^&]*&/, "")}&error=${error}` : callback,
        )
        expect(answer.status).toBe(303)
        const location = String(answer.headers.Location)
        expect(location.startsWith(`${redirect_uri}?`)).toBe(true)
        const { handoff, ...rest } = Object.fromEntries(new URL(location).searchParams)
        expect(rest).toEqual({ state: login.state, iss: MOUNT, ...(error && { error }) })
        expect(handoff === undefined).toBe(error !== null)
      }
    },
  )
})

describe("J2, J3: messages", () => {
  it("J2: the message goes to the origin that the login named, and bears the handoff and nothing else", async () => {
    const login = await room.start({ delivery: "webview", redirect_uri: PAGE })
    const page = await room.browser().finish(login)
    expect(messageOf(page)).toEqual({
      origin: PAGE,
      message: { type: "pkce", handoff: handoffOf(page), state: login.state, iss: MOUNT },
    })
    expect(page.headers["Content-Security-Policy"]).toContain(`frame-ancestors ${PAGE}`)
    expect(page.headers["X-Frame-Options"]).toBeUndefined()
    expect(page.headers.Location).toBeUndefined()
  })

  it.each([
    "*",
    "null",
    "https://evil.example",
    `${PAGE}/`,
    `${PAGE}:443`,
    `${PAGE}.evil.example`,
    "https://APP.example.com",
    "http://app.example.com",
    APP,
    MOUNT,
    new URL(MOUNT).origin,
  ])("J2: an origin that is not on the list, %s, is refused", async (redirect_uri) => {
    expect(verdict(await start({ delivery: "webview", redirect_uri }))).toEqual([
      400,
      "redirect_uri_not_allowed",
    ])
  })

  it("J3: without an origin it goes to the app's own bridge, and to no window", async () => {
    const page = await room.browser().finish(await room.start({ delivery: "webview" }))
    expect(messageOf(page)?.origin).toBeNull()
    expect(page.body).not.toContain("data-origin")
    expect(page.headers["Content-Security-Policy"]).toContain("frame-ancestors 'none'")
  })

  it("J2: a failure is told the same way, without a handoff", async () => {
    const login = await room.start({ delivery: "webview", redirect_uri: PAGE })
    const browser = room.browser()
    const callback = (await browser.logIn(login)).replace(/code=[^&]*&/, "")
    expect(messageOf(await browser.visit(`${callback}&error=access_denied`))).toEqual({
      origin: PAGE,
      message: { type: "pkce", error: "access_denied", state: login.state, iss: MOUNT },
    })
  })
})

describe("what the app asks of the provider", () => {
  it("is a user and a language, where it names them, and nothing else", async () => {
    const asked = async (request: object) => {
      const { headers } = await room.browser().visit((await room.start(request)).authorize_url)
      const query = new URL(String(headers.Location)).searchParams
      return [query.get("login_hint"), query.get("ui_locales"), query.has("ui_locales")]
    }
    expect(await asked({ login_hint: "ada@example.com", ui_locales: "de en" })).toEqual([
      "ada@example.com",
      "de en",
      true,
    ])
    expect(await asked({})).toEqual([null, null, false])
    expect(verdict(await start({ redirect_uri: APP, prompt: "none" }))).toEqual([400, "invalid_request"])
  })
})

describe("deliveries that are not offered", () => {
  it("poll is off unless it is said, and then its routes know no such login", async () => {
    await room.close()
    room = await openHosted({ hosted: {} })
    expect(verdict(await start({ delivery: "poll" }))).toEqual([400, "invalid_request"])
    expect(verdict(await start({ delivery: "webview", redirect_uri: PAGE }))).toEqual([
      400,
      "redirect_uri_not_allowed",
    ])
    expect((await start({ redirect_uri: APP })).status).toBe(200)
  })

  it("a backend without hosted login has neither its routes nor its functions", async () => {
    const { hosted: _, ...options } = room.options
    const without = createPkceServer(options)
    for (const path of ["/start", "/redeem", "/poll"])
      expect(verdict(await room.post(path, {}, { on: without }))).toEqual([404, "not_found"])
    for (const work of [without.start, without.redeem, without.poll])
      await expect(work({} as never)).rejects.toMatchObject({ code: "not_found" })
    await without.close()
  })

  it("C13: an address that guesses too much starts no login either", async () => {
    await room.close()
    room = await openHosted({ rateLimit: { perMinute: 6, burst: 1 } })
    const address = "192.0.2.7"
    const login = await room.start({ delivery: "poll" })
    const guess = { login_id: login.login_id, code_verifier: random() }
    expect((await room.post("/poll", guess, { address })).status).toBe(400)
    const body = { delivery: "poll", state: random(), code_challenge: s256(random()) }
    expect((await room.post("/start", body, { address })).status).toBe(429)
    expect((await room.post("/start", body, { address: "192.0.2.8" })).status).toBe(200)
  })
})
