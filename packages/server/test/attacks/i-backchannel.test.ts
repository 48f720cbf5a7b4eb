import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { memoryStore } from "../../src/stores/memory.js"
import {
  type Call,
  call,
  type Fixture,
  parsed,
  random,
  startServer,
  wire,
  withoutPush,
} from "../support/server.js"

let fixture: Fixture
beforeEach(async () => {
  fixture = await startServer({}, { metadata: { backchannel_logout_supported: true } })
})
afterEach(() => fixture.close())

const FORM_TYPE = "application/x-www-form-urlencoded"
const FORM = { "content-type": FORM_TYPE }
const send = (token: string, more: Partial<Call> = {}) =>
  call(fixture.auth, {
    path: "/backchannel-logout",
    headers: FORM,
    raw: new URLSearchParams({ logout_token: token }).toString(),
    ...more,
  })
const signIn = async (sub: string, sid?: string) => {
  const finished = fixture.idp.finishLogin({ sub, ...(sid !== undefined && { claims: { sid } }) })
  return fixture.auth.exchange(wire(fixture.login({ ...finished })))
}
const live = async (grant: { session_id: string }) =>
  (await fixture.store.find(grant.session_id)).row?.revokedAt === null
const told = (type: string) => fixture.events.filter((event) => event.type === type)

describe("oidcc-client-test-rp-backchannel-rpinitlogout", () => {
  it("by sid: ends the sessions of that session at the provider, and no other", async () => {
    const [phone, tablet, other] = [
      await signIn("ada", "s1"),
      await signIn("ada", "s1"),
      await signIn("ada", "s2"),
    ]
    const answer = await send(fixture.idp.logoutToken({ sub: "ada", sid: "s1" }))
    expect([answer.status, answer.body]).toEqual([200, ""])
    expect(answer.headers["Cache-Control"]).toBe("no-store")
    expect(await Promise.all([phone, tablet, other].map(live))).toEqual([false, false, true])
    expect(told("auth.backchannel_logout.succeeded")).toMatchObject([{ sessions: 2, repeat: false }])
  })

  it("by sub alone: ends all sessions of that user", async () => {
    const [one, two, stranger] = [await signIn("ada", "s1"), await signIn("ada"), await signIn("bob", "s3")]
    expect((await send(fixture.idp.logoutToken({ sub: "ada", sid: undefined }))).status).toBe(200)
    expect(await Promise.all([one, two, stranger].map(live))).toEqual([false, false, true])
  })

  it("F11: what it ends is refused at once by the process that heard it", async () => {
    // A store that tells nobody: the process must know by itself.
    await fixture.close()
    fixture = await startServer({ store: withoutPush(memoryStore()) })
    const grant = await signIn("ada", "s1")
    await send(fixture.idp.logoutToken({ sub: "ada", sid: "s1" }))
    expect(await fixture.auth.authenticate(String(grant.session_token))).toBeNull()
  })
})

describe("I8, I9: repeats and strangers", () => {
  it("I8: a logout token that comes again is success without work, in another process too", async () => {
    const token = fixture.idp.logoutToken({ sub: "ada", sid: "s1" })
    expect((await send(token)).status).toBe(200)
    const later = await signIn("ada", "s1b")
    expect((await send(token)).status).toBe(200)
    expect(told("auth.backchannel_logout.succeeded")).toMatchObject([{ repeat: false }, { repeat: true }])
    expect(await live(later)).toBe(true)
  })

  it("I8: a token by sub does not end a session that began after it was acted upon", async () => {
    const token = fixture.idp.logoutToken({ sub: "ada", sid: undefined })
    await send(token)
    fixture.store.calls.revokeByUser = 0
    await send(token)
    expect(fixture.store.calls.revokeByUser).toBe(0)
  })

  it("I8: a process that died after half of the work has the repeat do all of it", async () => {
    const grant = await signIn("ada", "s1")
    const token = fixture.idp.logoutToken({ sub: "ada", sid: "s1" })
    const revokeByProviderSession = fixture.store.revokeByProviderSession
    const inner = fixture.options.store as unknown as Record<string, unknown>
    inner.revokeByProviderSession = () => Promise.reject(new Error("the process died here"))
    expect((await send(token)).status).toBe(400)
    inner.revokeByProviderSession = revokeByProviderSession
    expect((await send(token)).status).toBe(200)
    expect(await live(grant)).toBe(false)
  })

  it("I9: nobody of that name is success, and cannot be told apart", async () => {
    const answers = [
      await send(fixture.idp.logoutToken({ sub: "nobody", sid: "none" })),
      await send(fixture.idp.logoutToken({ sub: "nobody", sid: undefined })),
    ]
    await signIn("ada", "s1")
    answers.push(await send(fixture.idp.logoutToken({ sub: "ada", sid: "s1" })))
    expect(new Set(answers.map(({ status, body }) => `${status} ${body}`))).toEqual(new Set(["200 "]))
  })
})

describe("I10: a logout that meets a login", () => {
  /** A login whose row is written only when `save` is called. */
  function heldLogin(sub: string, sid?: string) {
    const inner = fixture.options.store as unknown as { create: (...args: unknown[]) => Promise<unknown> }
    const { create } = inner
    let save = () => {}
    let reached = () => {}
    const before = new Promise<void>((resolve) => {
      reached = resolve
    })
    inner.create = async (...args) => {
      reached()
      await new Promise<void>((resolve) => {
        save = resolve
      })
      return Reflect.apply(create, inner, args)
    }
    const answer = signIn(sub, sid).then(
      () => "signed in",
      (error: { code: string; reason: string }) => `${error.code} ${error.reason}`,
    )
    return {
      before,
      answer,
      save: () => {
        inner.create = create
        save()
      },
    }
  }

  it.each([
    ["by sid", { sub: "ada", sid: "s1" }],
    ["by sub", { sub: "ada", sid: undefined }],
  ])("I10: before its row is written, %s: the login is refused, and no session stays", async (_, claims) => {
    const login = heldLogin("ada", "s1")
    await login.before
    expect((await send(fixture.idp.logoutToken(claims))).status).toBe(200)
    login.save()
    expect(await login.answer).toBe("login_failed ended_at_provider")
    const all = await fixture.store.scan(null, 100)
    expect(all.rows).toEqual([])
  })

  it("I10: of two logouts of one user the later one stands", async () => {
    const now = Math.floor(Date.now() / 1000)
    const token = (iat: number) => fixture.idp.logoutToken({ sub: "ada", sid: undefined, iat })
    for (const iat of [now - 200, now, now - 100]) expect((await send(token(iat))).status).toBe(200)
    fixture.idp.faults.idToken = ({ claims }) => Object.assign(claims, { iat: now - 50 })
    await expect(signIn("ada", "s1")).rejects.toMatchObject({ reason: "ended_at_provider" })
  })

  it("I10: after its row is written: the session ends like any other", async () => {
    const grant = await signIn("ada", "s1")
    await send(fixture.idp.logoutToken({ sub: "ada", sid: "s1" }))
    expect(await live(grant)).toBe(false)
  })

  it("I10: a repeat of a login whose process died before it looked is refused too", async () => {
    const login = fixture.login({ ...fixture.idp.finishLogin({ sub: "ada", claims: { sid: "s1" } }) })
    const inner = fixture.options.store as unknown as { peek: unknown }
    const { peek } = inner
    inner.peek = () => Promise.reject(new Error("the process died here"))
    await expect(fixture.auth.exchange(wire(login))).rejects.toMatchObject({ code: "unavailable" })
    inner.peek = peek
    const { store } = fixture
    const revoke = store.revokeByProviderSession
    Object.assign(fixture.options.store as object, { revokeByProviderSession: async () => [] })
    await send(fixture.idp.logoutToken({ sub: "ada", sid: "s1" }))
    Object.assign(fixture.options.store as object, { revokeByProviderSession: revoke })
    await expect(fixture.auth.exchange(wire(login))).rejects.toMatchObject({ reason: "ended_at_provider" })
  })

  it("I10: a login after the logout is as welcome as ever", async () => {
    await send(
      fixture.idp.logoutToken({ sub: "ada", sid: undefined, iat: Math.floor(Date.now() / 1000) - 5 }),
    )
    expect(await live(await signIn("ada", "s9"))).toBe(true)
  })
})

describe("I11, I12: outages and forms", () => {
  it("I11: while the store is away the answer is 400 logout_failed, it is told, and the repeat works", async () => {
    const inner = memoryStore()
    await fixture.close()
    fixture = await startServer({ store: inner }, { metadata: { backchannel_logout_supported: true } })
    const grant = await signIn("ada", "s1")
    const token = fixture.idp.logoutToken({ sub: "ada", sid: "s1" })
    const { claim } = inner
    inner.claim = () => Promise.reject(new Error("the store is away"))
    const answer = await send(token)
    expect([answer.status, parsed(answer).error]).toEqual([400, "logout_failed"])
    expect(told("auth.backchannel_logout.failed")).toMatchObject([
      { reason: "store_failed", error_id: parsed(answer).error_id },
    ])
    inner.claim = claim
    expect((await send(token)).status).toBe(200)
    expect(await live(grant)).toBe(false)
  })

  it("I11: a mark that was not written is no success, whatever else was done", async () => {
    const inner = fixture.options.store as unknown as { claim: (...args: unknown[]) => Promise<unknown> }
    const { claim } = inner
    inner.claim = async (...args) => {
      if (args[0] === "logout") throw new Error("the store is away")
      return Reflect.apply(claim, inner, args)
    }
    const token = fixture.idp.logoutToken({ sub: "ada", sid: "s1" })
    expect((await send(token)).status).toBe(400)
    inner.claim = claim
    expect((await send(token)).status).toBe(200)
    expect(told("auth.backchannel_logout.succeeded")).toMatchObject([{ repeat: false }])
  })

  it("I11: what it was to end is ended when the store is back, whether the provider repeats it or not", async () => {
    const [bySid, bySub] = [await signIn("ada", "s1"), await signIn("bob", "s2")]
    const inner = fixture.options.store as unknown as Record<string, unknown>
    const kept = ["claim", "revokeByProviderSession", "revokeByUser"].map(
      (name) => [name, inner[name]] as const,
    )
    for (const [name] of kept) inner[name] = () => Promise.reject(new Error("the store is away"))
    expect((await send(fixture.idp.logoutToken({ sub: "ada", sid: "s1" }))).status).toBe(400)
    expect((await send(fixture.idp.logoutToken({ sub: "bob", sid: undefined }))).status).toBe(400)
    expect(await Promise.all([bySid, bySub].map(live))).toEqual([true, true])
    for (const [name, work] of kept) inner[name] = work
    const ended = async () => (await Promise.all([bySid, bySub].map(live))).includes(true)
    await expect.poll(ended, { timeout: 10_000 }).toBe(false)
  })

  it.each([
    ["JSON", 400, { headers: { "content-type": "application/json" }, raw: '{"logout_token":"a.b.c"}' }],
    ["no token", 400, { raw: "other=1" }],
    ["two tokens", 400, { raw: "logout_token=a&logout_token=b" }],
    ["an empty token", 400, { raw: "logout_token=" }],
    ["a form that is too long", 413, { raw: `logout_token=${"a".repeat(17_000)}` }],
    ["nonsense", 400, { raw: "logout_token=a.b.c" }],
  ])("I12: %s is %i, and never cached", async (_, status, request) => {
    const answer = await send("", request)
    expect(answer.status).toBe(status)
    expect(answer.headers["Cache-Control"]).toBe("no-store")
  })

  it("I12: of two tokens none is taken, however good the last one is", async () => {
    const grant = await signIn("ada", "s1")
    const good = fixture.idp.logoutToken({ sub: "ada", sid: "s1" })
    const raw = `logout_token=other&logout_token=${good}`
    expect((await send("", { raw })).status).toBe(400)
    expect(await live(grant)).toBe(true)
  })

  it.each([
    undefined,
    "text/plain",
    "application/json",
    "multipart/form-data; boundary=x",
    `${FORM_TYPE}; charset=latin1`,
  ])("I12: a good token under the type %s ends nothing", async (type) => {
    const grant = await signIn("ada", "s1")
    const token = fixture.idp.logoutToken({ sub: "ada", sid: "s1" })
    const answer = await send(token, { headers: { "content-type": type ?? "" } })
    expect([answer.status, await live(grant)]).toEqual([400, true])
  })

  it("I12: GET is 405", async () => {
    expect((await send("", { method: "GET" })).status).toBe(405)
  })

  it("I5: another issuer's or client's token is refused without asking anybody", async () => {
    const { calls } = fixture.idp
    const before = calls.jwks + calls.discovery
    for (const claims of [{ iss: "https://evil.example" }, { aud: "another-client" }]) {
      const answer = await send(fixture.idp.logoutToken({ sub: "ada", ...claims }))
      expect([answer.status, parsed(answer).error]).toEqual([400, "logout_failed"])
    }
    expect(calls.jwks + calls.discovery).toBe(before)
  })

  it("E17: an ID token and a session token of ours end nothing", async () => {
    const grant = await signIn("ada", "s1")
    const idToken = fixture.idp.sign({
      iss: fixture.idp.issuer,
      aud: fixture.idp.clientId,
      sub: "ada",
      sid: "s1",
      jti: random(),
      iat: Math.floor(Date.now() / 1000),
      exp: Math.floor(Date.now() / 1000) + 60,
    })
    for (const token of [idToken, String(grant.session_token)]) expect((await send(token)).status).toBe(400)
    expect(await live(grant)).toBe(true)
  })
})
