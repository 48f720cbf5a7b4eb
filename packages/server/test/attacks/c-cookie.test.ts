import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { createPkceServer } from "../../src/server.js"
import { AT_HOME, type BoundRoom, LISTED, openBound, PAGE, step } from "../support/bound.js"
import { handoffOf, MOUNT, verdict } from "../support/hosted-room.js"
import { parsed, random, s256, wire } from "../support/server.js"

let room: BoundRoom
beforeEach(async () => {
  room = await openBound()
})
afterEach(() => room.close())

describe("C12: who may use the cookie", () => {
  const refused: [string, Record<string, string | undefined>][] = [
    ["an origin that is not on the list", { origin: "https://evil.example", "sec-fetch-site": "cross-site" }],
    ["an origin of the same site", { origin: "https://blog.example.com", "sec-fetch-site": "same-site" }],
    ["a suffix of a listed one", { origin: `${LISTED}.evil.example`, "sec-fetch-site": "cross-site" }],
    ["plain http", { origin: "http://app.example.com", "sec-fetch-site": "cross-site" }],
    ["null", { origin: "null", "sec-fetch-site": "cross-site" }],
    ["neither origin nor site", {}],
    ["a site alone", { "sec-fetch-site": "same-site" }],
    ["no site", { "sec-fetch-site": "none" }],
    ["no header that a form cannot send", { "sec-fetch-site": "same-origin", "pkce-protocol": undefined }],
    ["another version in it", { origin: LISTED, "pkce-protocol": "2" }],
  ]
  const clean = (headers: Record<string, string | undefined>) =>
    Object.fromEntries(
      Object.entries({ ...PAGE, ...headers }).filter(
        (pair): pair is [string, string] => pair[1] !== undefined,
      ),
    )

  it.each(refused)("C12: %s: 403, and the code is not spent", async (_, headers) => {
    const login = room.login({ bind: "cookie" })
    const answer = await room.post("/exchange", wire(login), { headers: clean(headers) })
    expect(verdict(answer)).toEqual([403, "origin_not_allowed"])
    expect(answer.headers["Set-Cookie"]).toBeUndefined()
    expect([room.idp.calls.token, room.store.calls]).toEqual([0, {}])
    expect((await room.send("/exchange", wire(login))).status).toBe(200)
  })

  it.each(refused)("C12: %s: 403 at /redeem and /poll, and the login goes on", async (_, headers) => {
    const polled = await room.start({ delivery: "poll" })
    const login = await room.start()
    await room.browser().finish(polled)
    const handoff = handoffOf(await room.browser().finish(login))
    const common = { session_challenge: s256(random()), bind: "cookie" }
    for (const [path, body] of [
      ["/redeem", { ...common, login_id: login.login_id, code_verifier: login.verifier, handoff }],
      ["/poll", { ...common, login_id: polled.login_id, code_verifier: polled.verifier }],
    ] as const) {
      expect(verdict(await room.post(path, body, { headers: clean(headers) }))).toEqual([
        403,
        "origin_not_allowed",
      ])
      expect((await room.store.scan(null, 9)).rows).toHaveLength(path === "/poll" ? 1 : 0)
      expect((await room.send(path, body)).status).toBe(200)
    }
  })

  it.each(refused)("C12: %s: 403 at /refresh and /logout, though the cookie is there", async (_, headers) => {
    const held = await room.signIn()
    const sent = { ...clean(headers), cookie: held.cookie }
    const { refresh_token, session_verifier } = step(held)
    for (const [path, body] of [
      ["/refresh", step(held)],
      ["/logout", { refresh_token, session_verifier }],
    ] as const)
      expect(verdict(await room.post(path, body, { headers: sent }))).toEqual([403, "origin_not_allowed"])
    expect(room.told("session.cookie_refused")).toEqual([])
    expect((await room.refresh(held, { ...AT_HOME, cookie: held.cookie })).status).toBe(200)
  })

  it.each<[string, Record<string, string>]>([
    ["its own origin", { origin: new URL(MOUNT).origin }],
    ["a listed origin", { origin: LISTED, "sec-fetch-site": "same-site" }],
    ["its own site as the browser says", { "sec-fetch-site": "same-origin" }],
  ])("C12: %s may", async (_, headers) => {
    const answer = await room.post("/exchange", wire(room.login({ bind: "cookie" })), {
      headers: { ...PAGE, ...headers },
    })
    expect(answer.headers["Set-Cookie"]).toBeDefined()
    expect(answer.headers["Access-Control-Allow-Credentials"]).toBe(
      headers.origin === LISTED ? "true" : undefined,
    )
  })

  it("C12: where the mount has no url, only the list and the browser's own word count", async () => {
    const { url: _, hosted: __, ...options } = room.options
    const bare = createPkceServer(options)
    const ask = (headers: Record<string, string>) =>
      room.post("/exchange", wire(room.login({ bind: "cookie" })), {
        headers: { ...PAGE, ...headers },
        on: bare,
      })
    expect((await ask({ origin: new URL(MOUNT).origin })).status).toBe(403)
    expect((await ask({ origin: LISTED })).headers["Set-Cookie"]).toMatch(/^__Host-.*; Secure$/)
    expect((await ask({ "sec-fetch-site": "same-origin" })).status).toBe(200)
    await bare.close()
  })

  it("C12: a preflight lets the listed origin alone send the cookie", async () => {
    const ask = (origin: string) =>
      room.post("/refresh", undefined, {
        method: "OPTIONS",
        headers: { origin, "access-control-request-method": "POST" },
      })
    expect((await ask(LISTED)).headers["Access-Control-Allow-Credentials"]).toBe("true")
    for (const origin of ["https://evil.example", "null"])
      expect((await ask(origin)).headers["Access-Control-Allow-Credentials"]).toBeUndefined()
  })

  it("a cookie without a line, or by a caller that can get none, is refused before the code is spent", async () => {
    const login = room.login({ bind: "cookie" })
    const { session_challenge: _, ...without } = wire(login)
    expect(verdict(await room.send("/exchange", without))).toEqual([400, "invalid_request"])
    const thrown = await room.auth.exchange(wire(login) as never).catch((error) => error)
    expect(thrown).toMatchObject({ code: "invalid_request" })
    expect(room.idp.calls.token).toBe(0)
    expect(parsed(await room.send("/exchange", wire(login))).refresh_token).toBeDefined()
  })

  it("a server's own function has no cookie, and refuses a bound token without an alarm", async () => {
    const held = await room.signIn()
    expect(await room.auth.refresh(step(held)).catch((error) => error)).toMatchObject({
      code: "invalid_token",
    })
    expect(room.told("session.cookie_refused")).toHaveLength(1)
    expect((await room.refresh(held, { ...AT_HOME, cookie: held.cookie })).status).toBe(200)
  })
})
