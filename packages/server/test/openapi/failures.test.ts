import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createPkceServer } from "../../src/server.js"
import { memoryStore } from "../../src/stores/memory.js"
import { call, type Fixture, parsed, random, s256, startServer, wire } from "../support/server.js"
import { answerChecker, type Document, documentOf, operationsOf, statusesOf } from "./checker.js"
import { returnedLogins } from "./returned-logins.js"

const bearer = (token: unknown) => ({ authorization: `Bearer ${String(token)}` })

const url = "https://api.example.com/auth"
const none: Awaited<ReturnType<typeof returnedLogins>> = {}
const mounts = [
  ["without hosted login", {}, 50],
  ["with hosted login", { url, hosted: { poll: true } }, 75],
] as const

describe.each(mounts)("%s", (_, mount, least) => {
  let fixture: Fixture
  let document: Document
  let checker: ReturnType<typeof answerChecker>
  /** Milliseconds by which the store's clock is ahead. */
  let ahead = 0
  beforeAll(async () => {
    const store = memoryStore({ now: () => Date.now() + ahead })
    fixture = await startServer({ store, ...mount })
    document = await documentOf(fixture.auth)
    checker = answerChecker(document)
  })
  afterAll(() => fixture.close())

  const operations = () =>
    operationsOf(document).map(([name, operation]) => {
      const [method = "", template = ""] = name.split(" ")
      const id = template.startsWith("/logout") ? s256("x") : "A".repeat(22)
      return { method, path: template.replace("{id}", id), operation }
    })
  const withStatus = (status: number) =>
    operations().filter(({ operation }) => operation.responses[status] !== undefined)

  const hostedBodies = async (extra: object = {}) =>
    "hosted" in mount ? returnedLogins(fixture.auth, checker, extra) : none

  /** Asks every operation that documents the status, and sees that each answers it; these and no others, where `paths` are given. */
  async function all(
    status: number,
    ask: (one: ReturnType<typeof operations>[number]) => Promise<number>,
    paths?: string[],
  ) {
    const found = withStatus(status)
    const answered: unknown[] = []
    for (const one of found) answered.push([one.path, await ask(one)])
    expect(answered).toEqual(found.map(({ path }) => [path, status]))
    if (paths) expect(found.map(({ path }) => path).sort()).toEqual(paths.sort())
    else expect(found).not.toEqual([])
  }

  it("400: a credential in the query", () =>
    all(400, async ({ method, path }) => {
      const answer = await checker.ask(fixture.auth, { method, path, query: "code=x" })
      return answer.status
    }))

  it("400 with a reason: what is wrong with a login, a logout and a logout token", async () => {
    for (const [body, code] of [
      [{ ...wire(fixture.login()), code: "unknown" }, "login_failed"],
      [{ ...wire(fixture.login()), redirect_uri: "https://evil.example/" }, "redirect_uri_not_allowed"],
      [{}, "invalid_request"],
    ] as const) {
      const answer = await checker.ask(fixture.auth, { path: "/exchange", body })
      expect(parsed(answer).error).toBe(code)
    }
    const headers = { "content-type": "application/x-www-form-urlencoded" }
    const refused = await checker.ask(fixture.auth, {
      path: "/backchannel-logout",
      raw: "logout_token=a.b.c",
      headers,
    })
    expect(parsed(refused).error).toBe("logout_failed")
  })

  it("401: no bearer, a wrong one, and a wrong refresh token", async () => {
    const body = {
      refresh_token: "r1.forged",
      session_verifier: random(),
      session_challenge: s256(random()),
    }
    for (const headers of [{}, bearer("nonsense")])
      await all(401, async ({ method, path }) => {
        const sent = path === "/refresh" ? { body } : {}
        return (await checker.ask(fixture.auth, { method, path, headers, ...sent })).status
      })
  })

  it("takes the bearer where the document says so, and there alone", async () => {
    const { auth } = fixture
    for (const { method, path, operation } of operations()) {
      const login = fixture.login()
      const grant = parsed(await checker.ask(auth, { path: "/exchange", body: wire(login) }))
      const without = await checker.ask(auth, { method, path })
      const signedIn = await checker.ask(auth, { method, path, headers: bearer(grant.session_token) })
      const counts = without.status === 401 && signedIn.status !== 401
      expect([method, path, counts]).toEqual([method, path, operation.security !== undefined])
    }
    // An empty requirement beside it says that there is another way.
    const others = operations().filter(({ operation }) =>
      operation.security?.some((way) => !("bearer" in way)),
    )
    expect(others.map(({ method, path }) => `${method} ${path}`)).toEqual(["POST /logout"])
    const login = fixture.login()
    const { refresh_token } = parsed(await checker.ask(auth, { path: "/exchange", body: wire(login) }))
    const body = { refresh_token, session_verifier: login.verifier }
    expect((await checker.ask(auth, { path: "/logout", body })).status).toBe(200)
  })

  it("404: another user's session, and a ticket that is used up", async () => {
    const login = parsed(await checker.ask(fixture.auth, { path: "/exchange", body: wire(fixture.login()) }))
    const headers = bearer(login.session_token)
    await all(
      404,
      async ({ method, path }) => (await checker.ask(fixture.auth, { method, path, headers })).status,
    )
  })

  const typeOf = ({ operation }: ReturnType<typeof operations>[number]) => ({
    "content-type": Object.keys(operation.requestBody?.content ?? {})[0] ?? "",
  })

  it("408: a body that does not come", () =>
    all(408, async (one) => {
      const headers: Record<string, string> = typeOf(one)
      const answer = await fixture.auth.handle({
        ...{ method: one.method, path: one.path, query: "", address: undefined },
        header: (name) => headers[name],
        body: async () => ({ kind: "timeout" }),
      })
      checker.check(one.method, one.path, answer)
      return answer.status
    }))

  it("403: a page that may not use the cookie", async () => {
    const login = fixture.login()
    const body = { ...wire(login), bind: "cookie" }
    const own = { origin: "https://app.example.com", "pkce-protocol": "1" }
    const bound = createPkceServer({ ...fixture.options, allowedOrigins: [own.origin] })
    const begun = await checker.ask(bound, { path: "/exchange", body, headers: own })
    expect(begun.headers["Set-Cookie"]).toContain(`pkce-${parsed(begun).session_id}=`)
    const credentials = { refresh_token: parsed(begun).refresh_token, session_verifier: login.verifier }
    const bodies: Record<string, object> = {
      "/exchange": { ...wire(fixture.login()), bind: "cookie" },
      "/refresh": { ...credentials, session_challenge: s256(random()) },
      "/logout": credentials,
      ...(await hostedBodies({ bind: "cookie" })),
    }
    const headers = { ...own, origin: "https://evil.example" }
    const ask = (path: string) => checker.ask(bound, { path, body: bodies[path] ?? {}, headers })
    const before = fixture.events.length
    await all(403, async ({ path }) => (await ask(path)).status, Object.keys(bodies))
    // GR3: it was refused before the code or the handoff was spent.
    const told = fixture.events.slice(before).map(({ type }) => type)
    expect([...new Set(told)]).toEqual(["auth.request.refused"])
    const cookie = String(begun.headers["Set-Cookie"]).split(";")[0] ?? ""
    const ended = await checker.ask(bound, {
      path: "/logout",
      body: credentials,
      headers: { ...own, cookie },
    })
    expect([ended.status, ended.headers["Set-Cookie"]]).toEqual([200, expect.stringContaining("Max-Age=0")])
    await bound.close()
  })

  it("413: a body that is too large", () =>
    all(413, async (one) => {
      const { method, path } = one
      return (
        await checker.ask(fixture.auth, { method, path, raw: "x".repeat(20_000), headers: typeOf(one) })
      ).status
    }))

  it("415: a body of another type", () =>
    all(415, async ({ method, path }) => {
      const headers = { "content-type": "text/plain" }
      return (await checker.ask(fixture.auth, { method, path, raw: "{}", headers })).status
    }))

  it("409: a code whose answer was lost, and a login whose session token was", async () => {
    const bodies = await hostedBodies({ session_challenge: undefined })
    for (const [path, body] of Object.entries(bodies)) await checker.ask(fixture.auth, { path, body })
    // Later than 30 seconds a repeat brings no session token, and without a line it would bring nothing.
    ahead = 60_000
    fixture.idp.faults = { token: { hangUp: "after" } }
    const ask = (path: string) =>
      checker.ask(fixture.auth, { path, body: bodies[path] ?? wire(fixture.login()) })
    await all(409, async ({ path }) => (await ask(path)).status, ["/exchange", ...Object.keys(bodies)])
    fixture.idp.faults = {}
    ahead = 0
  })

  it("410: a login that is not there", async () => {
    const bodies = await hostedBodies()
    const ask = (path: string) =>
      checker.ask(fixture.auth, { path, body: { ...bodies[path], login_id: "A".repeat(22) } })
    await all(410, async ({ path }) => (await ask(path)).status, Object.keys(bodies))
  })

  it("429: too many failures of one address", async () => {
    const limited = createPkceServer({ ...fixture.options, rateLimit: { perMinute: 1, burst: 1 } })
    const address = "203.0.113.7"
    const body = { refresh_token: "r1.forged", session_verifier: random(), session_challenge: s256(random()) }
    await checker.ask(limited, { path: "/refresh", body, address })
    await all(429, async ({ method, path }) => (await checker.ask(limited, { method, path, address })).status)
    await limited.close()
  })

  it.each([
    [502, { status: 404 }],
    [503, { status: 500 }],
    [504, { delay: 60_000 }],
  ])("%i: the provider's metadata cannot be had", async (status, fault) => {
    fixture.idp.faults = { discovery: fault }
    const cold = createPkceServer(fixture.options)
    const bodies: Record<string, object> = { "/exchange": wire(fixture.login()) }
    const asked = ({ path }: { path: string }) => path === "/config" || path in bodies
    // What else has a 503 of its own has it from the store.
    const found = withStatus(status).filter((one) => status !== 503 || asked(one))
    const answers = await Promise.all(
      found.map(({ method, path }) => {
        const body = bodies[path]
        return checker.ask(cold, { method, path, ...(body && { body }) })
      }),
    )
    expect([found.length, answers.map((answer) => answer.status)]).toEqual([2, [status, status]])
    fixture.idp.faults = {}
    await cold.close()
  })

  it("500 and 503: a store that is broken", async () => {
    const login = fixture.login()
    const grant = parsed(await checker.ask(fixture.auth, { path: "/exchange", body: wire(login) }))
    const headers = bearer(grant.session_token)
    const store = fixture.options.store ?? {}
    const down = () => Promise.reject(new Error("connection refused"))
    const operations = ["find", "advance", "claim", "peek", "take", "listByUser", "revoke", "revokeByUser"]
    const working = Object.fromEntries(operations.map((name) => [name, store[name as keyof typeof store]]))
    const bodies: Record<string, object> = {
      "/exchange": wire(fixture.login()),
      "/refresh": {
        refresh_token: grant.refresh_token,
        session_verifier: login.verifier,
        session_challenge: s256(random()),
      },
      "/start": { delivery: "webview", state: random(), code_challenge: s256(random()) },
      ...(await hostedBodies()),
    }
    Object.assign(store, { find: async () => null })
    expect((await checker.ask(fixture.auth, { method: "GET", path: "/session", headers })).status).toBe(500)
    Object.assign(store, Object.fromEntries(operations.map((name) => [name, down])))
    await all(503, async ({ method, path }) => {
      // Of the store /config knows nothing: that it answers 503 is shown above.
      if (path === "/config") return 503
      const body = bodies[path]
      return (await checker.ask(fixture.auth, { method, path, headers, ...(body && { body }) })).status
    })
    Object.assign(store, working)
  })

  it("404 and 405: what is no operation at all", async () => {
    for (const [method, path, status] of [
      ["GET", "/nothing", 404],
      ["PUT", "/exchange", 405],
    ] as const) {
      const answer = await call(fixture.auth, { method, path })
      expect(answer.status).toBe(status)
      expect(checker.validate("/components/schemas/ErrorAnswer", JSON.parse(answer.body))).toEqual([])
    }
  })

  it("and every failure in the document has been seen, but for the 500 that nobody foresees", () => {
    const documented = statusesOf(document).filter((one) => / [45]\d\d$/.test(one))
    const unseen = documented.filter((one) => !checker.seen.has(one))
    expect(unseen.filter((one) => !one.endsWith(" 500"))).toEqual([])
    expect(documented.length).toBeGreaterThan(least)
  })
})
