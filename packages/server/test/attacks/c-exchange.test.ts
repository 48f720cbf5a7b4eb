import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { createPkceServer } from "../../src/server.js"
import { type Call, call, type Fixture, parsed, random, s256, startServer, wire } from "../support/server.js"

let fixture: Fixture
beforeEach(async () => {
  fixture = await startServer()
})
afterEach(async () => {
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  await fixture.close()
})

const exchange = (body: unknown, extra: Partial<Call> = {}) =>
  call(fixture.auth, { path: "/exchange", body, ...extra })
const sessionsOf = async (sub: unknown) => (await fixture.auth.sessions.list(String(sub))).length
const eventTypes = () => fixture.events.map(({ type }) => type)

/** GR3: a refusal before the provider is asked changes nothing anywhere. */
function expectNothingHappened() {
  expect(fixture.idp.calls.token).toBe(0)
  expect(fixture.store.calls).toEqual({})
}

describe("C: the exchange under attack", () => {
  it("C1: a stolen code with the thief's own verifier is refused, and no session is made", async () => {
    const answer = await exchange({ ...wire(fixture.login()), code_verifier: random() })
    expect(answer.status).toBe(400)
    expect(parsed(answer)).toMatchObject({ error: "login_failed", retryable: false })
    expect(fixture.idp.calls.token).toBe(1)
    expect(fixture.store.calls.create).toBeUndefined()
    expect(fixture.events).toContainEqual(
      expect.objectContaining({
        type: "auth.exchange.failed",
        reason: "invalid_grant",
        code_fp: expect.stringMatching(/^[0-9a-f]{16}$/),
        error_id: parsed(answer).error_id,
      }),
    )
    expect(eventTypes()).not.toContain("auth.request.refused")
  })

  it("C1: the honest app that comes after the thief is refused too, by us alone", async () => {
    const login = fixture.login()
    await exchange({ ...wire(login), code_verifier: random() })
    const answer = await exchange(wire(login))
    expect([answer.status, parsed(answer).error]).toEqual([400, "login_failed"])
    expect(fixture.idp.calls.token).toBe(1)
  })

  it.each(["code_verifier", "session_challenge", "nonce"])(
    "C2: a code replayed with another %s never reaches the provider, and the session lives on",
    async (member) => {
      const login = fixture.login()
      const first = parsed(await exchange(wire(login)))
      const other = member === "session_challenge" ? s256(random()) : random()
      const answer = await exchange({ ...wire(login), [member]: other })
      expect([answer.status, parsed(answer).error]).toEqual([400, "login_failed"])
      expect(fixture.idp.calls.token).toBe(1)
      expect(eventTypes()).toContain("auth.exchange.code_replay")
      expect(await sessionsOf(first.user_info?.sub)).toBe(1)
    },
  )

  it.each(["session_challenge", "iss"] as const)(
    "C2: leaving the %s out is another request too",
    async (name) => {
      await fixture.close()
      fixture = await startServer({}, { metadata: { authorization_response_iss_parameter_supported: false } })
      const login = fixture.login()
      await exchange(wire(login))
      const { [name]: _, ...without } = wire(login)
      expect((await exchange(without)).status).toBe(400)
      expect(eventTypes()).toContain("auth.exchange.code_replay")
    },
  )

  it("B5: a code that came with another issuer's name is refused and not spent", async () => {
    const login = wire(fixture.login())
    for (const iss of ["https://evil.example/", `${login.iss}/`, login.iss.toUpperCase()]) {
      const answer = await exchange({ ...login, iss })
      expect([answer.status, parsed(answer).error]).toEqual([400, "login_failed"])
    }
    const reasons = fixture.events.map(({ reason }) => reason)
    expect(reasons).toEqual(Array(3).fill("callback_issuer_mismatch"))
    expectNothingHappened()
    expect((await exchange(login)).status).toBe(200)
  })

  it("C3: an honest repeat gets the same session and the same refresh token, without the provider", async () => {
    const login = wire(fixture.login())
    const first = parsed(await exchange(login))
    for (let i = 0; i < 3; i++) {
      const again = parsed(await exchange({ ...login, device: { name: "told anew" } }))
      expect(again.session_id).toBe(first.session_id)
      expect(again.refresh_token).toBe(first.refresh_token)
      expect(again.user_info).toEqual(first.user_info)
      expect(again.session_token).toBeDefined()
    }
    expect(fixture.idp.calls.token).toBe(1)
    expect(await sessionsOf(first.user_info?.sub)).toBe(1)
  })

  it("C3: once the line has moved on, or the session has ended, a repeat is exchange_interrupted", async () => {
    const login = fixture.login()
    const first = parsed(await exchange(wire(login)))
    const body = {
      refresh_token: first.refresh_token,
      session_verifier: login.verifier,
      session_challenge: s256(random()),
    }
    expect((await call(fixture.auth, { path: "/refresh", body })).status).toBe(200)
    const answer = await exchange(wire(login))
    expect([answer.status, parsed(answer).error]).toEqual([409, "exchange_interrupted"])
    expect(parsed(answer).retryable).toBe(false)

    const other = fixture.login()
    const second = parsed(await exchange(wire(other)))
    await fixture.auth.sessions.revoke(String(second.session_id))
    expect((await exchange(wire(other))).status).toBe(409)
  })

  it("C4: the same exchange at two processes at once is one call of the provider and one session", async () => {
    const twin = createPkceServer(fixture.options)
    fixture.idp.faults.token = { delay: 250 }
    const login = wire(fixture.login())
    const answers = await Promise.all(
      [fixture.auth, twin, fixture.auth, twin].map((auth) => call(auth, { path: "/exchange", body: login })),
    )
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(new Set(answers.map((answer) => parsed(answer).refresh_token)).size).toBe(1)
    expect(fixture.idp.calls.token).toBe(1)
    expect(fixture.store.calls.create).toBe(1)
    await twin.close()
  })

  it.each([
    ["42 characters", "a".repeat(42)],
    ["129 characters", "a".repeat(129)],
    ...["+", "/", "=", "\u0000", "é", " "].map((character) => [
      `the character ${JSON.stringify(character)}`,
      "a".repeat(43) + character,
    ]),
  ])("A3: a code_verifier with %s is refused before anything is done", async (_, code_verifier) => {
    const answer = await exchange({ ...wire(fixture.login()), code_verifier })
    expect([answer.status, parsed(answer).error]).toEqual([400, "invalid_request"])
    expectNothingHappened()
  })

  it.each([43, 128])("A3: a code_verifier of %i characters goes to the provider", async (length) => {
    const code_verifier = random().repeat(3).slice(0, length)
    const { redirect_uri, nonce, iss } = fixture.login()
    const code = fixture.idp.issueCode({
      redirectUri: redirect_uri,
      codeChallenge: s256(code_verifier),
      nonce,
    })
    expect((await exchange({ code, code_verifier, redirect_uri, nonce, iss })).status).toBe(200)
  })

  it("C14: a session that the request brings is neither taken up nor ended", async () => {
    const first = parsed(await exchange(wire(fixture.login())))
    const headers = {
      authorization: `Bearer ${String(first.session_token)}`,
      cookie: `session_id=${String(first.session_id)}`,
    }
    const second = parsed(await exchange(wire(fixture.login()), { headers }))
    expect(second.session_id).not.toBe(first.session_id)
    expect(second.refresh_token).not.toBe(first.refresh_token)
    expect(await sessionsOf(first.user_info?.sub)).toBe(2)
    const fixed = await exchange({ ...wire(fixture.login()), session_id: first.session_id })
    expect([fixed.status, parsed(fixed).error]).toEqual([400, "invalid_request"])
  })

  it.each([
    ["a longer path", (uri: string) => `${uri}/more`],
    ["a trailing slash", (uri: string) => `${uri}/`],
    ["another case", (uri: string) => uri.toUpperCase()],
    ["a query", (uri: string) => `${uri}?next=1`],
    ["an encoded character", (uri: string) => uri.replace("callback", "%63allback")],
    ["credentials", (uri: string) => uri.replace("://", "://user@")],
    ["another scheme", () => "https://evil.example/callback"],
  ])("C5: a redirect_uri with %s is refused before anything is done", async (_, change) => {
    const login = fixture.login()
    const answer = await exchange({ ...wire(login), redirect_uri: change(login.redirect_uri) })
    expect([answer.status, parsed(answer).error]).toEqual([400, "redirect_uri_not_allowed"])
    expectNothingHappened()
  })

  it.each([
    "issuer",
    "token_endpoint",
    "client_id",
    "client_secret",
    "scope",
    "grant_type",
    "__proto__",
    "constructor",
  ])("C6: the body cannot set %s", async (name) => {
    const text = JSON.stringify(wire(fixture.login()))
    const raw = text.replace("{", `{"${name}":{"polluted":true},`)
    const answer = await exchange(undefined, { raw })
    expect([answer.status, parsed(answer).error]).toEqual([400, "invalid_request"])
    expect(answer.body).not.toContain("polluted")
    expectNothingHappened()
  })

  it.each(["__proto__", "constructor", "toString", "hasOwnProperty", "other"])(
    "C6: provider %j is nobody",
    async (provider) => {
      expect((await exchange({ ...wire(fixture.login()), provider })).status).toBe(400)
      expectNothingHappened()
    },
  )

  it.each([
    ["absent", undefined],
    ["of 21 characters", "n".repeat(21)],
    ["of 257 characters", "n".repeat(257)],
    ["not a text", 42],
  ])("C7: a nonce that is %s is refused", async (_, nonce) => {
    const answer = await exchange({ ...wire(fixture.login()), nonce })
    expect([answer.status, parsed(answer).error]).toEqual([400, "invalid_request"])
    expect(parsed(answer).error_description).toContain("nonce")
    expectNothingHappened()
  })

  it.each([
    undefined,
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-16",
    "application/json, text/plain",
    "text/json",
    "application/jsonp",
  ])("C8: content-type %j is 415", async (type) => {
    const headers = { "content-type": type } as Record<string, string>
    const answer = await exchange(wire(fixture.login()), { headers })
    expect([answer.status, parsed(answer).error]).toEqual([415, "unsupported_media_type"])
    expectNothingHappened()
  })

  it.each(["application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'])(
    "C8: content-type %j is taken",
    async (type) => {
      expect((await exchange(wire(fixture.login()), { headers: { "content-type": type } })).status).toBe(200)
    },
  )

  it("C8: a method cannot be overridden, and GET is 405", async () => {
    const headers = { "x-http-method-override": "POST", "x-method-override": "POST" }
    const answer = await exchange(wire(fixture.login()), { method: "GET", headers })
    expect([answer.status, answer.headers.Allow]).toEqual([405, "POST, OPTIONS"])
    expectNothingHappened()
  })

  it.each<[string, number, () => Partial<Call>]>([
    ["a body of 8 KiB and one byte", 413, () => ({ raw: `"${"x".repeat(8191)}"` })],
    [
      "a length that is announced too large",
      413,
      () => ({ raw: "{}", headers: { "content-length": "8193" } }),
    ],
    ["deep nesting", 400, () => ({ raw: `{"device":${'{"a":'.repeat(9)}1${"}".repeat(9)}}` })],
    [
      "a name twice",
      400,
      () => ({ raw: JSON.stringify(wire(fixture.login())).replace("{", '{"code":"x",') }),
    ],
    [
      "a name twice, once escaped",
      400,
      () => ({ raw: JSON.stringify(wire(fixture.login())).replace("{", '{"c\\u006fde":"x",') }),
    ],
    ["a lone surrogate", 400, () => ({ raw: JSON.stringify({ ...wire(fixture.login()), code: "\ud800" }) })],
    ["invalid UTF-8", 400, () => ({ raw: Buffer.from('{"code":"\xff"}', "latin1") })],
    ["an array", 400, () => ({ raw: "[]" })],
    ["null", 400, () => ({ raw: "null" })],
    ["nothing but the type", 400, () => ({ raw: "", headers: { "content-type": "application/json" } })],
    ["trailing text", 400, () => ({ raw: "{} {}" })],
    ["gzip", 415, () => ({ raw: "{}", headers: { "content-encoding": "gzip" } })],
  ])("C9: %s is %i", async (_, status, request) => {
    const answer = await exchange(undefined, request())
    expect(answer.status).toBe(status)
    expectNothingHappened()
  })

  it("C15: control characters are stripped from what is stored, and long labels are cut", async () => {
    const device = { name: "a\r\nb\u0000\u001b[31m\u202ec", model: "😀".repeat(300) }
    const grant = parsed(await exchange({ ...wire(fixture.login()), device }))
    const stored = await fixture.auth.sessions.get(String(grant.session_id))
    expect(stored?.device).toEqual({ name: "ab[31mc", model: "😀".repeat(256) })
  })

  it.each([
    [
      "its error",
      { status: 403, json: () => ({ error: "invalid_grant", error_description: "CANARY-text" }) },
    ],
    ["a page", { status: 400, raw: "<html>CANARY-text</html>" }],
  ])("C16: the provider's text is in no answer and no event: %s", async (_, fault) => {
    fixture.idp.faults.token = fault
    const answer = await exchange(wire(fixture.login()))
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(JSON.stringify([answer, fixture.events])).not.toContain("CANARY")
  })
})

describe("C11: cross-origin", () => {
  beforeEach(async () => {
    await fixture.close()
    fixture = await startServer({ allowedOrigins: ["https://app.example.com"] })
  })

  it.each([
    "null",
    "https://evil.example",
    "https://app.example.com.evil.example",
    "http://app.example.com",
    "https://APP.example.com",
  ])("C11: origin %s gets no Access-Control header, at preflight and at answer", async (origin) => {
    const headers = { origin, "access-control-request-method": "POST", "content-type": "application/json" }
    for (const method of ["OPTIONS", "POST"]) {
      const answer = await exchange(wire(fixture.login()), { method, headers })
      expect(Object.keys(answer.headers).filter((name) => /access-control/i.test(name))).toEqual([])
      expect(answer.headers.Vary).toBe("Origin, Cookie")
    }
  })

  it("C11: the listed origin alone may read the answer and its headers, with its cookies", async () => {
    const origin = "https://app.example.com"
    const preflight = await exchange(undefined, { method: "OPTIONS", headers: { origin } })
    expect(preflight).toMatchObject({
      status: 204,
      headers: {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "authorization, content-type, pkce-protocol",
      },
    })
    for (const body of [wire(fixture.login()), {}]) {
      const answer = await exchange(body, { headers: { origin } })
      expect(answer.headers["Access-Control-Allow-Origin"]).toBe(origin)
      expect(answer.headers["Access-Control-Expose-Headers"]).toBe("Pkce-Protocol, Retry-After")
      expect(answer.headers["Access-Control-Allow-Credentials"]).toBe("true")
    }
  })
})

describe("C13: floods", () => {
  beforeEach(async () => {
    await fixture.close()
    fixture = await startServer({ rateLimit: { perMinute: 6, burst: 3 } })
  })

  it("C13: failures of one address are 429 before any work; others, and successes, are not", async () => {
    const attack = () => exchange({ ...wire(fixture.login()), code: random() }, { address: "192.0.2.1" })
    expect([(await attack()).status, (await attack()).status, (await attack()).status]).toEqual([
      400, 400, 400,
    ])
    const calls = { ...fixture.store.calls }
    const refused = await attack()
    expect(refused.status).toBe(429)
    expect(parsed(refused)).toMatchObject({ error: "rate_limited", retryable: true, retry_after: 10 })
    expect(refused.headers["Retry-After"]).toBe("10")
    expect(fixture.store.calls).toEqual(calls)
    expect(fixture.idp.calls.token).toBe(3)
    for (let i = 0; i < 10; i++)
      expect((await exchange(wire(fixture.login()), { address: "192.0.2.2" })).status).toBe(200)
  })

  it("C13: forged refresh tokens count too, over a whole IPv6 /64", async () => {
    const forged = (host: number) =>
      call(fixture.auth, {
        path: "/refresh",
        address: `2001:db8::${host.toString(16)}`,
        body: { refresh_token: "r1.x", session_verifier: random(), session_challenge: s256(random()) },
      })
    for (let i = 0; i < 3; i++) expect((await forged(i)).status).toBe(401)
    expect((await forged(9)).status).toBe(429)
  })

  it.each([
    ["no address", undefined, {}, /unknown/],
    ["a proxy's address", "10.0.0.7", { "x-forwarded-for": "192.0.2.9" }, /proxy/],
    ["a proxy's address on this machine", "::ffff:127.0.0.1", { forwarded: "for=192.0.2.9" }, /proxy/],
    ["its own address", "192.0.2.9", { "x-forwarded-for": "192.0.2.9" }, null],
    ["an address of its own network", "10.0.0.7", {}, null],
  ])("C13: is told once where the limit has %s to go by", async (_, address, headers, text) => {
    for (const _again of [1, 2]) {
      const extra = { headers, ...(address !== undefined && { address }) }
      expect((await exchange(wire(fixture.login()), extra)).status).toBe(200)
    }
    const told = fixture.warnings.filter((warning) => /client/.test(warning))
    expect(told).toEqual(text === null ? [] : [expect.stringMatching(text)])
  })

  it("C13: a limit that is off has nothing to tell", async () => {
    await fixture.close()
    fixture = await startServer()
    await exchange(wire(fixture.login()))
    expect(fixture.warnings.filter((warning) => /client/.test(warning))).toEqual([])
  })

  it("C13: sessions that have ended are no guesses: an office that was signed out may sign in again", async () => {
    const address = "192.0.2.3"
    for (let device = 0; device < 5; device++) {
      const login = fixture.login()
      const grant = parsed(await exchange(wire(login), { address }))
      await fixture.auth.sessions.revoke(String(grant.session_id))
      const body = {
        refresh_token: grant.refresh_token,
        session_verifier: login.verifier,
        session_challenge: s256(random()),
      }
      const answer = await call(fixture.auth, { path: "/refresh", address, body })
      expect([answer.status, parsed(answer).error]).toEqual([401, "session_revoked"])
    }
  })
})

describe("F7: tokens in the wrong place", () => {
  it.each(["refresh_token=x", "a=1&access_token=x", "code=x", "session_token=x", "SESSION_VERIFIER=x"])(
    "F7: ?%s is refused",
    async (query) => {
      const answer = await exchange(wire(fixture.login()), { query })
      expect([answer.status, parsed(answer).error]).toEqual([400, "invalid_request"])
      expect(fixture.events).toContainEqual(
        expect.objectContaining({ type: "auth.request.refused", reason: "secret_in_query" }),
      )
      expectNothingHappened()
    },
  )

  it("F7: a bearer that comes twice is none", async () => {
    const grant = parsed(await exchange(wire(fixture.login())))
    const one = `Bearer ${grant.session_token}`
    const get = (authorization: string) =>
      call(fixture.auth, { method: "GET", path: "/session", headers: { authorization } })
    expect((await get(one)).status).toBe(200)
    expect((await get(`${one}, ${one}`)).status).toBe(401)
  })
})

describe("F17: a session or null", () => {
  it.each([
    undefined,
    null,
    0,
    {},
    [],
    "",
    "x.y.z",
    { headers: null },
    { headers: { authorization: 5 } },
    { headers: { authorization: "Bearer" } },
    new Request("http://x/"),
  ])("F17: authenticate(%j) is null, never an error-shaped value and never a throw", async (from) => {
    expect(await fixture.auth.authenticate(from as string)).toBeNull()
    expect(await fixture.auth.authenticate(from as string, { checkRevocation: true })).toBeNull()
  })
})
