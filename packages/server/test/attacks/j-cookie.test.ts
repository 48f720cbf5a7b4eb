import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { createPkceServer } from "../../src/server.js"
import { AT_HOME, type BoundRoom, cookieOf, type Held, openBound, step } from "../support/bound.js"
import { grantOf, handoffOf, verdict } from "../support/hosted-room.js"
import { random, s256, wire } from "../support/server.js"

let room: BoundRoom
beforeEach(async () => {
  room = await openBound()
})
afterEach(() => room.close())

describe("J6: a session that is bound to a cookie", () => {
  it("J6: gets one that only this host can set, no script can read, and no other site can send", async () => {
    const { answer, sid } = await room.signIn()
    const [pair = "", ...attributes] = (answer.headers["Set-Cookie"] ?? "").split("; ")
    expect(pair).toMatch(new RegExp(`^__Host-pkce-${sid}=[\\w-]{43}$`))
    expect(attributes.sort()).toEqual(["HttpOnly", "Max-Age=7776000", "Path=/", "SameSite=Lax", "Secure"])
    expect(answer.body).not.toContain(pair.split("=")[1])
  })

  it.each<[string, (held: Held, other: Held) => Record<string, string>, string]>([
    ["no cookie", () => ({}), "cookie_missing"],
    ["the cookie's name alone", ({ sid }) => ({ cookie: `__Host-pkce-${sid}=` }), "cookie_mismatch"],
    ["a planted cookie", ({ sid }) => ({ cookie: `__Host-pkce-${sid}=${random()}` }), "cookie_mismatch"],
    [
      "the value in a cookie without the prefix",
      ({ cookie }) => ({ cookie: cookie.replace("__Host-", "") }),
      "cookie_missing",
    ],
    ["the cookie twice", ({ cookie }) => ({ cookie: `${cookie}; ${cookie}` }), "cookie_missing"],
    [
      "the cookie and a planted one",
      ({ cookie, sid }) => ({ cookie: `${cookie}; __Host-pkce-${sid}=${random()}` }),
      "cookie_missing",
    ],
    [
      "another session's value",
      ({ sid }, other) => ({ cookie: `__Host-pkce-${sid}=${other.cookie.split("=")[1]}` }),
      "cookie_mismatch",
    ],
    ["another session's cookie", (_, other) => ({ cookie: other.cookie }), "cookie_missing"],
  ])("J6: with %s is not refreshed; it goes on, and nobody is alarmed", async (_, headersOf, reason) => {
    const [held, other] = [await room.signIn(), await room.signIn()]
    const stolen = await room.refresh(held, { ...AT_HOME, ...headersOf(held, other) })
    expect(verdict(stolen)).toEqual([401, "invalid_token"])
    expect(room.told("session.cookie_refused")).toMatchObject([{ session_id: held.sid, reason }])
    expect(room.told("session.reuse_detected")).toEqual([])
    expect(grantOf(await room.refresh(held, { ...AT_HOME, cookie: held.cookie })).session_id).toBe(held.sid)
  })

  it("J6: a thief with a copy of the storage cannot end it either: token, verifier, wrong verifier", async () => {
    const held = await room.signIn()
    for (const copy of [held, { ...held, verifier: random() }])
      for (let turn = 0; turn < 3; turn++) expect((await room.refresh(copy, AT_HOME)).status).toBe(401)
    const { refresh_token, session_verifier } = step(held)
    expect(verdict(await room.send("/logout", { refresh_token, session_verifier }))).toEqual([
      401,
      "invalid_token",
    ])
    expect((await room.store.find(held.sid)).row?.revokedAt).toBeNull()
    expect((await room.refresh(held, { ...AT_HOME, cookie: held.cookie })).status).toBe(200)
  })

  it("J6: the cookie alone is worth nothing, anywhere", async () => {
    const { cookie } = await room.signIn()
    const headers = { ...AT_HOME, cookie }
    expect(
      (await room.send("/refresh", { ...step(await room.signIn()), refresh_token: "r1.x" }, headers)).status,
    ).toBe(401)
    expect((await room.send("/logout", {}, headers)).status).toBe(401)
    const get = (path: string) => room.post(path, undefined, { method: "GET", headers })
    for (const path of ["/session", "/sessions"]) expect((await get(path)).status).toBe(401)
  })

  it("J6: the cookie stays as it is through the line, and a stolen copy of everything is still found", async () => {
    const held = await room.signIn()
    const headers = { ...AT_HOME, cookie: held.cookie }
    const next = random()
    const answer = await room.refresh(held, headers, next)
    expect(answer.headers["Set-Cookie"]).toBeUndefined()
    const moved = { ...held, token: String(grantOf(answer).refresh_token), verifier: next }
    expect((await room.refresh(moved, AT_HOME)).status).toBe(401)
    expect((await room.refresh(moved, headers)).status).toBe(200)
    expect(verdict(await room.refresh(held, headers))).toEqual([401, "session_reuse_detected"])
  })

  it("J6: a bound token cannot be made unbound, nor bound to another cookie", async () => {
    const [held, other] = [await room.signIn(), await room.signIn()]
    const parts = held.token.split(".")
    const mark = parts.length - 2
    expect(parts).toHaveLength(8)
    const bearing = (text: string | undefined) =>
      parts.flatMap((part, at) => (at === mark ? (text ?? []) : part)).join(".")
    const unbound = bearing(undefined)
    const otherMark = bearing(other.token.split(".")[mark])
    const emptied = bearing("")
    const value = other.cookie.split("=")[1]
    const headers = { ...AT_HOME, cookie: `__Host-pkce-${held.sid}=${value}` }
    for (const token of [unbound, otherMark, emptied])
      expect(verdict(await room.refresh({ ...held, token }, headers))).toEqual([401, "invalid_token"])
    expect(room.told("session.cookie_refused")).toEqual([])
    expect((await room.refresh(held, { ...AT_HOME, cookie: held.cookie })).status).toBe(200)
  })

  it("J6: two sessions in one browser do not disturb each other, and a logout takes its own cookie only", async () => {
    const [one, two] = [await room.signIn(), await room.signIn()]
    const headers = { ...AT_HOME, cookie: `${one.cookie}; theme=dark; ${two.cookie}` }
    const next = random()
    const moved = {
      ...one,
      token: String(grantOf(await room.refresh(one, headers, next)).refresh_token),
      verifier: next,
    }
    const { refresh_token, session_verifier } = step(moved)
    const out = await room.send("/logout", { refresh_token, session_verifier }, headers)
    expect([out.status, out.headers["Set-Cookie"]]).toEqual([
      200,
      `__Host-pkce-${one.sid}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure`,
    ])
    expect((await room.store.find(one.sid)).row?.revokedAt).not.toBeNull()
    expect((await room.refresh(two, headers)).status).toBe(200)
  })

  it("J6: a logout by the session token takes the cookie too, and sets none where there was none", async () => {
    const { answer, cookie, sid } = await room.signIn()
    const authorization = `Bearer ${grantOf(answer).session_token}`
    const out = await room.send("/logout", {}, { authorization, cookie })
    expect(out.headers["Set-Cookie"]).toContain(`__Host-pkce-${sid}=; `)
    expect((await room.send("/logout", {}, { authorization })).headers["Set-Cookie"]).toBeUndefined()
  })

  it("J6: at the developer's own plain http it has no prefix that browsers would refuse there", async () => {
    const local = createPkceServer({ ...room.options, url: "http://localhost:3000/auth" })
    const login = room.login({ bind: "cookie" })
    const answer = await room.post("/exchange", wire(login), { headers: AT_HOME, on: local })
    expect(answer.headers["Set-Cookie"]).toMatch(
      /^pkce-[\w-]{22}=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=\d+$/,
    )
    const held = { ...step({ token: String(grantOf(answer).refresh_token), verifier: login.verifier }) }
    const headers = { ...AT_HOME, cookie: cookieOf(answer) }
    expect((await room.post("/refresh", held, { headers, on: local })).status).toBe(200)
    await local.close()
  })
})

describe("J6: repeats", () => {
  it("J6: the identical login sets the identical cookie, at each of the three routes", async () => {
    const { request, answer } = await room.signIn()
    expect((await room.send("/exchange", request)).headers["Set-Cookie"]).toBe(answer.headers["Set-Cookie"])
    const polled = await room.start({ delivery: "poll" })
    const login = await room.start()
    await room.browser().finish(polled)
    const handoff = handoffOf(await room.browser().finish(login))
    for (const [path, { login_id, verifier }, more] of [
      ["/redeem", login, { handoff }],
      ["/poll", polled, {}],
    ] as const) {
      const line = random()
      const body = {
        login_id,
        code_verifier: verifier,
        session_challenge: s256(line),
        bind: "cookie",
        ...more,
      }
      const first = await room.send(path, body)
      expect(cookieOf(first)).toMatch(/^__Host-pkce-[\w-]{22}=[\w-]{43}$/)
      expect((await room.send(path, body)).headers["Set-Cookie"]).toBe(first.headers["Set-Cookie"])
      const held = { token: String(grantOf(first).refresh_token), verifier: line }
      expect((await room.send("/refresh", step(held), { ...AT_HOME, cookie: cookieOf(first) })).status).toBe(
        200,
      )
    }
  })

  it("J6: a poll that has nothing yet sets no cookie", async () => {
    const { login_id, verifier } = await room.start({ delivery: "poll" })
    const body = { login_id, code_verifier: verifier, session_challenge: s256(random()), bind: "cookie" }
    const answer = await room.send("/poll", body)
    expect([answer.status, answer.headers["Set-Cookie"]]).toEqual([202, undefined])
  })

  it("J6: a session that is not bound gets no cookie, and needs none", async () => {
    const login = room.login()
    const answer = await room.send("/exchange", wire(login))
    expect(answer.headers["Set-Cookie"]).toBeUndefined()
    const held = { token: String(grantOf(answer).refresh_token), verifier: login.verifier }
    expect((await room.post("/refresh", step(held))).status).toBe(200)
  })
})
