import { serverErrors } from "@pkce/protocol"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { PkceServerOptions } from "../src/config/options.js"
import { createPkceServer } from "../src/server.js"
import { memoryStore } from "../src/stores/memory.js"
import { call, type Fixture, parsed, random, s256, startServer, wire, withoutPush } from "./support/server.js"

let fixture: Fixture
beforeEach(async () => {
  // Without push, what another process ends is found in the store, and that is what is tested here.
  const store = withoutPush(memoryStore())
  fixture = await startServer({ store, postLogoutRedirectUris: ["https://app.example.com/bye"] })
})
afterEach(() => fixture.close())

const bearer = (token: unknown) => ({ authorization: `Bearer ${String(token)}` })
const get = (path: string, token?: unknown) =>
  call(fixture.auth, { method: "GET", path, ...(token !== undefined && { headers: bearer(token) }) })
const del = (path: string, token: unknown) =>
  call(fixture.auth, { method: "DELETE", path, headers: bearer(token) })
const logout = (body: unknown, token?: unknown) =>
  call(fixture.auth, { path: "/logout", body, ...(token !== undefined && { headers: bearer(token) }) })

async function signIn(extra?: object) {
  const login = fixture.login(extra)
  const answer = await call(fixture.auth, { path: "/exchange", body: wire(login) })
  expect(answer.status).toBe(200)
  return { login, grant: parsed(answer) }
}

/** A store that is down from now on, for one of its operations. */
function breakStore(operation: "find" | "revoke" | "create" | "claim" | "advance") {
  Object.assign(fixture.options.store ?? {}, {
    [operation]: () => Promise.reject(new Error("CANARY connection refused")),
  })
}

describe("the wire", () => {
  it("GET /config tells an app all that it needs", async () => {
    const answer = await get("/config")
    expect(parsed(answer)).toMatchObject({
      protocol: 1,
      providers: [
        { id: "default", issuer: fixture.idp.issuer, client_id: "test-client", iss_in_callback: true },
      ],
      hosted: [],
    })
    expect(answer.body).not.toContain(fixture.idp.clientSecret)
  })

  it("GET /config leaves out a provider that cannot be reached, and is 503 where there is no other", async () => {
    const { issuer, clientId, clientSecret, redirectUris, providers: _, ...rest } = fixture.options
    const entry = { issuer, clientId, clientSecret, redirectUris }
    // Nobody listens there.
    const dead = { ...entry, issuer: "http://127.0.0.1:9" }
    const configOf = async (providers: Record<string, typeof entry>) => {
      const auth = createPkceServer({ ...rest, providers } as PkceServerOptions)
      const answer = await call(auth, { method: "GET", path: "/config" })
      await auth.close()
      return answer
    }
    const some = await configOf({ dead, alive: entry, dead2: dead })
    expect(some.status).toBe(200)
    expect(parsed(some).providers).toMatchObject([{ id: "alive", issuer }])
    const none = await configOf({ dead, dead2: dead })
    expect([none.status, parsed(none).error]).toEqual([503, "idp_unavailable"])
  })

  it("POST /exchange answers a grant, by one call of the provider and two of the store", async () => {
    const { grant } = await signIn({ device: { name: "phone" } })
    expect(grant).toMatchObject({
      token_type: "Bearer",
      session_id: expect.stringMatching(/^[\w-]{22}$/),
      user_info: { idp_iss: fixture.idp.issuer, idp_sub: fixture.idp.user.sub },
    })
    expect(grant.expires_in).toBeGreaterThan(250)
    expect(grant.refresh_expires_in).toBe(30 * 86_400)
    expect(Math.abs(grant.server_time - Date.now() / 1000)).toBeLessThan(5)
    expect(fixture.idp.calls.token).toBe(1)
    expect(fixture.store.calls).toEqual({ claim: 1, create: 1 })
    const session = await fixture.auth.authenticate(String(grant.session_token))
    expect(session).toMatchObject({ id: grant.session_id, user: { sub: grant.user_info?.sub } })
  })

  it("takes the minimal request of the original flow, and answers session_token and user_info", async () => {
    await fixture.close()
    const old = { authorization_response_iss_parameter_supported: undefined }
    fixture = await startServer({ nonce: "optional" }, { metadata: old })
    const code_verifier = random()
    const [redirect_uri = ""] = fixture.options.redirectUris ?? []
    const code = fixture.idp.issueCode({ redirectUri: redirect_uri, codeChallenge: s256(code_verifier) })
    const answer = await call(fixture.auth, {
      path: "/exchange",
      body: { code, code_verifier, redirect_uri },
    })
    expect(answer.status).toBe(200)
    const grant = parsed(answer)
    expect(grant.session_token).toBeTypeOf("string")
    expect(grant.user_info?.idp_sub).toBe(fixture.idp.user.sub)
    // No challenge, no line: the session ends with its token.
    expect(grant.refresh_token).toBeUndefined()
    const record = await fixture.auth.sessions.get(grant.session_id)
    expect(Number(record?.absoluteExpiresAt) - Number(record?.createdAt)).toBe(300)
  })

  it("POST /refresh takes the next step by one call of the store", async () => {
    const { login, grant } = await signIn()
    const before = { ...fixture.store.calls }
    const body = {
      refresh_token: grant.refresh_token,
      session_verifier: login.verifier,
      session_challenge: s256(random()),
    }
    const answer = await call(fixture.auth, { path: "/refresh", body })
    expect(answer.status).toBe(200)
    expect(parsed(answer)).toMatchObject({ session_id: grant.session_id, session_token: expect.any(String) })
    expect(parsed(answer).user_info).toBeUndefined()
    expect(fixture.store.calls).toEqual({ ...before, advance: 1 })
    const repeat = parsed(await call(fixture.auth, { path: "/refresh", body }))
    expect(repeat.refresh_token).toBe(parsed(answer).refresh_token)
  })

  it("puts the claims that the team asked for into the session token, also at refresh", async () => {
    await fixture.close()
    fixture = await startServer({ session: { claims: ["email", "idp_sub", "absent"] } })
    const login = fixture.login(fixture.idp.finishLogin({ sub: "u1", claims: { email: "a@example.com" } }))
    const first = parsed(await call(fixture.auth, { path: "/exchange", body: wire(login) }))
    const user = { sub: first.user_info?.sub, email: "a@example.com", idp_sub: "u1" }
    expect((await fixture.auth.authenticate(String(first.session_token)))?.user).toEqual(user)
    const body = {
      refresh_token: first.refresh_token,
      session_verifier: login.verifier,
      session_challenge: s256(random()),
    }
    const next = parsed(await call(fixture.auth, { path: "/refresh", body }))
    expect((await fixture.auth.authenticate(String(next.session_token)))?.user).toEqual(user)
  })

  it("GET /session says who it is; F11: a session that was revoked elsewhere is session_revoked", async () => {
    const { grant } = await signIn()
    const answer = parsed(await get("/session", grant.session_token))
    expect(answer).toMatchObject({
      session: { session_id: grant.session_id, idp_sub: fixture.idp.user.sub, provider: "default" },
      user_info: grant.user_info,
    })
    const twin = createPkceServer(fixture.options)
    await twin.sessions.revoke(grant.session_id)
    await twin.close()
    const revoked = await get("/session", grant.session_token)
    expect([revoked.status, parsed(revoked).error]).toEqual([401, "session_revoked"])
    // From that answer on this process knows, without another look at the store.
    expect(await fixture.auth.authenticate(String(grant.session_token))).toBeNull()
  })

  it("F14: lists and ends the user's own sessions; another user's is not_found and lives on", async () => {
    const [mine, other] = [await signIn({ device: { name: "phone" } }), await signIn()]
    const stranger = await signIn(fixture.idp.finishLogin({ sub: "somebody else" }))
    const list = parsed(await get("/sessions", mine.grant.session_token)).sessions as {
      [name: string]: unknown
    }[]
    expect(list.map(({ session_id }) => session_id).sort()).toEqual(
      [mine.grant.session_id, other.grant.session_id].sort(),
    )
    expect(list.find(({ current }) => current)).toMatchObject({
      session_id: mine.grant.session_id,
      device: { name: "phone" },
    })
    for (const id of [stranger.grant.session_id, "A".repeat(22), "short"]) {
      const answer = await del(`/sessions/${id}`, mine.grant.session_token)
      expect([answer.status, parsed(answer).error]).toEqual([404, "not_found"])
    }
    expect((await get("/session", stranger.grant.session_token)).status).toBe(200)
    expect((await del(`/sessions/${other.grant.session_id}`, mine.grant.session_token)).status).toBe(204)
    expect((await get("/session", other.grant.session_token)).status).toBe(401)
  })

  it("DELETE /sessions ends all but the caller's; a revoked caller may do nothing", async () => {
    const [mine, ...others] = [await signIn(), await signIn(), await signIn(), await signIn()]
    // By another process, so that this one still takes the others' tokens.
    const twin = createPkceServer(fixture.options)
    const headers = bearer(mine.grant.session_token)
    expect((await call(twin, { method: "DELETE", path: "/sessions", headers })).status).toBe(204)
    await twin.close()
    const attempts = [
      ["GET", "/sessions"],
      ["DELETE", "/sessions"],
      ["DELETE", `/sessions/${mine.grant.session_id}`],
    ] as const
    for (const [index, [method, path]] of attempts.entries()) {
      const headers = bearer(others[index]?.grant.session_token)
      const answer = await call(fixture.auth, { method, path, headers })
      expect([answer.status, parsed(answer).error]).toEqual([401, "session_revoked"])
    }
    expect((await get("/session", mine.grant.session_token)).status).toBe(200)
  })

  it("GET /jwks.json publishes keys only where there are public ones", async () => {
    expect(parsed(await get("/jwks.json"))).toEqual({ keys: [] })
    await fixture.close()
    fixture = await startServer({ session: { algorithm: "EdDSA" }, url: "https://api.example.com/auth" })
    const { keys } = parsed(await get("/jwks.json")) as unknown as { keys: Record<string, unknown>[] }
    expect(keys).toHaveLength(1)
    expect(keys[0]).toMatchObject({ kty: "OKP", crv: "Ed25519" })
    expect(keys[0]).not.toHaveProperty("d")
  })
})

it.each(["", "*", "x".repeat(42), "x".repeat(43), "x\0"])(
  "G8: %j is no user, and no store is asked for it",
  async (sub) => {
    const before = { ...fixture.store.calls }
    expect(await fixture.auth.sessions.list(sub)).toEqual([])
    expect(await fixture.auth.sessions.revokeAll(sub)).toEqual([])
    expect(fixture.store.calls).toEqual(before)
  },
)

it.each(["x\0", "\ud800", "line\n", "x".repeat(257), 7])(
  "G8: %j is no reason, which every store could keep: nothing is ended, and nothing is tried",
  async (reason) => {
    const { session_id: sid, session_token } = (await signIn()).grant
    const { sub } = (await fixture.auth.sessions.get(sid)) ?? {}
    const before = { ...fixture.store.calls }
    await expect(fixture.auth.sessions.revoke(sid, reason as string)).rejects.toThrow(TypeError)
    const all = fixture.auth.sessions.revokeAll(String(sub), { reason: reason as string })
    await expect(all).rejects.toThrow(TypeError)
    expect(fixture.store.calls).toEqual(before)
    expect((await get("/session", session_token)).status).toBe(200)
    expect(await fixture.auth.sessions.revoke(sid, "x".repeat(256))).toBe(true)
  },
)

it.each(["", "*", "a:b", "__proto__", "x".repeat(21), "x".repeat(23), "x' OR '1'='1"])(
  "G8: %j is no session, and no store is asked for it",
  async (sid) => {
    const { session_token } = (await signIn()).grant
    const before = { ...fixture.store.calls }
    expect(await fixture.auth.sessions.get(sid)).toBeNull()
    expect(await fixture.auth.sessions.revoke(sid)).toBe(false)
    const path = `/sessions/${sid}`
    const headers = bearer(session_token)
    expect((await call(fixture.auth, { method: "DELETE", path, headers })).status).toBe(404)
    expect(fixture.store.calls).toEqual(before)
  },
)

describe("logout", () => {
  it("ends the session, hands out one ticket, and a repeat gets the same one", async () => {
    const { grant } = await signIn()
    const body = { post_logout_redirect_uri: "https://app.example.com/bye", state: "s1" }
    const first = await logout(body, grant.session_token)
    expect(first.status).toBe(200)
    const again = await logout(body, grant.session_token)
    expect([again.status, again.body]).toEqual([200, first.body])
    expect((await get("/session", grant.session_token)).status).toBe(401)

    const ticket = `/${String(parsed(first).logout_url)}`
    expect(ticket).toMatch(/^\/logout\/[\w-]{43}$/)
    const redirect = await get(ticket)
    expect(redirect).toMatchObject({ status: 303, body: "", headers: { "Referrer-Policy": "no-referrer" } })
    const location = new URL(String(redirect.headers.Location))
    expect(location.origin).toBe(fixture.idp.origin)
    expect(location.searchParams.get("id_token_hint")).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/)
    expect(location.searchParams.get("post_logout_redirect_uri")).toBe(body.post_logout_redirect_uri)
    expect(location.searchParams.get("state")).toBe("s1")
    const used = await get(ticket)
    expect([used.status, parsed(used).error]).toEqual([404, "not_found"])
  })

  it("is idempotent for the line too, and absolute where the url is known", async () => {
    await fixture.close()
    fixture = await startServer({ url: "https://api.example.com/auth" })
    const { login, grant } = await signIn()
    const body = { refresh_token: grant.refresh_token, session_verifier: login.verifier }
    const first = await logout(body)
    expect(parsed(first).logout_url).toMatch(/^https:\/\/api\.example\.com\/auth\/logout\/[\w-]{43}$/)
    const again = await logout(body, "an.expired.token")
    expect([again.status, again.body]).toEqual([200, first.body])
  })

  it("is no oracle and no alarm for who proves nothing", async () => {
    const { grant } = await signIn()
    for (const body of [
      undefined,
      {},
      { refresh_token: grant.refresh_token },
      { refresh_token: grant.refresh_token, session_verifier: random() },
      { refresh_token: "r1.forged", session_verifier: random() },
    ]) {
      const answer = await logout(body)
      expect([answer.status, parsed(answer).error]).toEqual([401, "invalid_token"])
    }
    expect((await get("/session", grant.session_token)).status).toBe(200)
  })

  it("I1: is POST only", async () => {
    const { grant } = await signIn()
    expect((await get("/logout", grant.session_token)).status).toBe(405)
    expect((await get("/session", grant.session_token)).status).toBe(200)
  })

  it("I2: a foreign post_logout_redirect_uri is refused, and the session goes on", async () => {
    const { grant } = await signIn()
    const answer = await logout({ post_logout_redirect_uri: "https://evil.example/" }, grant.session_token)
    expect([answer.status, parsed(answer).error]).toEqual([400, "invalid_request"])
    expect((await get("/session", grant.session_token)).status).toBe(200)
  })

  it("C6: a member that it does not know, or of another type, is refused, and the session goes on", async () => {
    const { grant } = await signIn()
    for (const body of [{ everywhere: true }, { session_id: grant.session_id }, { state: 1 }]) {
      const answer = await logout(body, grant.session_token)
      expect([answer.status, parsed(answer).error]).toEqual([400, "invalid_request"])
    }
    expect((await get("/session", grant.session_token)).status).toBe(200)
  })

  it("I3: a provider that cannot be reached keeps nobody signed in", async () => {
    const { grant } = await signIn()
    const twin = createPkceServer({ ...fixture.options, issuer: "http://127.0.0.1:9/" })
    const answer = await call(twin, { path: "/logout", headers: bearer(grant.session_token) })
    expect([answer.status, answer.body]).toEqual([200, "{}"])
    expect((await get("/session", grant.session_token)).status).toBe(401)
    await twin.close()
  })

  it("I3: a ticket leads to the provider's logout while the provider itself cannot be asked", async () => {
    const { grant } = await signIn()
    const { logout_url } = parsed(await logout({}, grant.session_token))
    fixture.idp.faults = { discovery: { status: 500 }, jwks: { status: 500 } }
    const twin = createPkceServer(fixture.options)
    const redirect = await call(twin, { method: "GET", path: `/${String(logout_url)}` })
    await twin.close()
    expect(redirect.status).toBe(303)
    expect(redirect.headers.Location).toContain("id_token_hint=")
  })

  it("I2: a ticket is of use once, and to no other kind of route", async () => {
    const { grant } = await signIn()
    const { logout_url } = parsed(await logout({}, grant.session_token))
    const path = `/${String(logout_url)}`
    const answers = await Promise.all([get(path), get(path), get(path)])
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 404, 404])
  })

  it("F12: a revocation that the store did not take is 503, never 200", async () => {
    const { grant } = await signIn()
    breakStore("revoke")
    const answer = await logout({}, grant.session_token)
    expect([answer.status, parsed(answer).error]).toEqual([503, "unavailable"])
    expect(answer.headers["Retry-After"]).toBe("1")
    expect(fixture.events).toContainEqual(expect.objectContaining({ type: "store.failed" }))
  })

  it("F12: where the store fails behind the end of the session, the same token may ask again for the ticket", async () => {
    const { grant } = await signIn()
    const { claim } = fixture.store
    breakStore("claim")
    expect((await logout({}, grant.session_token)).status).toBe(503)
    expect((await get("/session", grant.session_token)).status).toBe(401)
    Object.assign(fixture.store, { claim })
    const again = await logout({}, grant.session_token)
    expect([again.status, parsed(again).logout_url]).toEqual([200, expect.stringMatching(/^logout\//)])
  })
})

describe("GR6: our own outage is 503, never 401", () => {
  it.each(["claim", "create"] as const)("at /exchange, in %s", async (operation) => {
    breakStore(operation)
    const answer = await call(fixture.auth, { path: "/exchange", body: wire(fixture.login()) })
    expect(answer.status).toBe(503)
    expect(parsed(answer)).toMatchObject({ error: "unavailable", retryable: true, retry_after: 1 })
    expect(JSON.stringify([answer, fixture.events])).not.toContain("CANARY")
  })

  it("at /refresh, /session and authenticate", async () => {
    const { login, grant } = await signIn()
    breakStore("advance")
    breakStore("find")
    const body = {
      refresh_token: grant.refresh_token,
      session_verifier: login.verifier,
      session_challenge: s256(random()),
    }
    expect((await call(fixture.auth, { path: "/refresh", body })).status).toBe(503)
    expect((await get("/session", grant.session_token)).status).toBe(503)
    const token = String(grant.session_token)
    await expect(fixture.auth.authenticate(token, { checkRevocation: true })).rejects.toMatchObject({
      code: "unavailable",
    })
    // Without a look at the store the API goes on.
    expect(await fixture.auth.authenticate(token)).not.toBeNull()
  })

  it("what nobody foresaw is 500 with an id, and the place in the code is in the event only", async () => {
    const { grant } = await signIn()
    Object.assign(fixture.options.store ?? {}, { find: async () => null })
    const answer = await get("/session", grant.session_token)
    expect(answer.status).toBe(500)
    const { error_id } = parsed(answer)
    expect(parsed(answer)).toEqual({ error: "internal", error_id, retryable: true })
    const event = fixture.events.find((candidate) => candidate.error_id === error_id)
    expect(event?.reason).toMatch(/^exception at [\w-]+\.[jt]s:\d+:\d+$/)
  })

  it("a hook of the team's that throws or rejects fails no request and leaves nothing unhandled", async () => {
    const unhandled: unknown[] = []
    const note = (reason: unknown) => void unhandled.push(reason)
    process.on("unhandledRejection", note)
    const { login, grant } = await signIn()
    let running = false
    const rejects = async () => {
      throw new Error("CANARY")
    }
    const broken = createPkceServer({
      ...fixture.options,
      onReuse: rejects,
      onEvent: rejects,
      onWarning: () => {
        if (running) throw new Error("CANARY")
      },
    })
    running = true
    const steps = [s256(random()), s256(random())].map((session_challenge) => ({
      refresh_token: grant.refresh_token,
      session_verifier: login.verifier,
      session_challenge,
    }))
    const statuses: number[] = []
    for (const value of steps) {
      const answer = await broken.handle({
        method: "POST",
        path: "/refresh",
        query: "",
        header: (name) => (name === "content-type" ? "application/json" : undefined),
        body: async () => ({ kind: "parsed", value }),
        address: undefined,
      })
      statuses.push(answer.status)
    }
    await broken.close()
    await new Promise((resolve) => setImmediate(resolve))
    process.off("unhandledRejection", note)
    expect([statuses, unhandled]).toEqual([[200, 401], []])
  })

  it("an exception of the team's own functions fails no request", async () => {
    const broken = createPkceServer({
      ...fixture.options,
      clientAddress: () => {
        throw new Error("CANARY")
      },
      onEvent: () => {
        throw new Error("CANARY")
      },
    })
    expect((await broken.fetch(new Request("http://x/auth/config"))).status).toBe(200)
    expect((await broken.fetch(new Request("http://x/auth/session"))).status).toBe(401)
    await broken.close()
  })
})

describe("GR1: every answer", () => {
  it.each([
    ["GET", "/config"],
    ["GET", "/jwks.json"],
    ["GET", "/session"],
    ["POST", "/exchange"],
    ["POST", "/refresh"],
    ["POST", "/logout"],
    ["PUT", "/exchange"],
    ["GET", "/nothing"],
    ["GET", "/logout/unknown"],
    ["OPTIONS", "/exchange"],
  ])("J7: %s %s may be kept by no cache and bears the protocol's number", async (method, path) => {
    const answer = await call(fixture.auth, { method, path })
    expect(answer.headers).toMatchObject({
      "Cache-Control": "no-store",
      "Pkce-Protocol": "1",
      "X-Content-Type-Options": "nosniff",
      Vary: "Origin, Cookie",
    })
    if (answer.status < 400) return
    const body = parsed(answer)
    expect(answer.headers["Content-Type"]).toBe("application/json")
    expect(body.error_id).toMatch(/^[0-9a-f]{16}$/)
    const known = serverErrors[body.error as keyof typeof serverErrors]
    expect([answer.status, body.retryable]).toEqual([known.status, known.retryable])
    const names = ["error", "error_description", "error_id", "retryable", "retry_after"]
    expect(Object.keys(body).filter((name) => !names.includes(name))).toEqual([])
  })

  it("a 401 names the scheme, and the error only where there was a credential (RFC 6750 section 3.1)", async () => {
    expect((await get("/session")).headers["WWW-Authenticate"]).toBe("Bearer")
    expect((await get("/session", "nonsense")).headers["WWW-Authenticate"]).toBe(
      'Bearer error="invalid_token"',
    )
  })
})
