import { http } from "msw"
import { setupServer } from "msw/node"
import { afterAll, describe, expect, it } from "vitest"
import { createPkceClient } from "../src/client.js"
import { hosted } from "../src/hosted.js"
import { codeOf } from "../src/testing/device.js"
import {
  fakeBackend,
  fakeClock,
  fakeDevice,
  fakeStorage,
  mswHandlers,
  provider,
  REDIRECT,
} from "../src/testing/index.js"

const server = setupServer()
afterAll(() => server.close())

it("a link that the device hands over ends the login that waits for it", async () => {
  const device = fakeDevice()
  const app = device.start()
  device.answer = () => new Promise(() => {})
  const login = app.login()
  await expect.poll(() => device.opened.length).toBe(1)
  device.link(device.callbackFor(device.opened[0] ?? ""))
  expect(await login).toMatchObject({ status: "signed_in" })
})

it("a storage that is locked is told from one that fails, and neither from an empty one", async () => {
  const device = fakeDevice()
  await device.start().login()
  device.storage.locked = true
  expect(await codeOf(device.start().restore())).toBe("storage_locked")
  device.storage.locked = false
  device.storage.failing = true
  expect(await codeOf(device.start().restore())).toBe("storage_unavailable")
  device.storage.failing = false
  expect((await device.start().restore()).session).not.toBeNull()
})

describe("virtual time", () => {
  it("waits cost nothing and end in their order, however many there are", async () => {
    const clock = fakeClock()
    const start = clock.monotonic()
    const ended: string[] = []
    await Promise.all([
      new Promise<void>((resolve) => clock.after(30_000, () => resolve(void ended.push("long")))),
      new Promise<void>((resolve) => clock.after(10_000, () => resolve(void ended.push("short")))),
    ])
    expect(ended).toEqual(["short", "long"])
    expect(clock.monotonic() - start).toBe(30_000)
  })

  it("a limit of minutes is reached by `advance` alone, and in time", async () => {
    const clock = fakeClock()
    const start = clock.monotonic()
    let reachedAt = 0
    clock.after(600_000, () => {
      reachedAt = clock.monotonic() - start
    })
    await new Promise<void>((resolve) => clock.after(60_000, resolve))
    clock.advance(539_999)
    expect(reachedAt).toBe(0)
    clock.advance(100_000)
    expect([reachedAt, clock.monotonic() - start]).toEqual([600_000, 699_999])
  })
})

it("waking up renews what is due", async () => {
  const device = fakeDevice()
  await device.start().login()
  device.clock.advance(3_600_000)
  device.wake()
  await expect.poll(() => device.backend.to("POST /refresh").length).toBe(1)
})

describe("the fake backend answers by docs/wire.md", () => {
  const BASE = "https://api.example.com/auth"
  /** On a device of its own, at the same backend. */
  const signIn = async ({ backend, clock }: Partial<ReturnType<typeof fakeDevice>> = {}, more = {}) => {
    const device = fakeDevice(
      { providers: [provider], ...more },
      { ...(backend && { backend }), ...(clock && { clock }) },
    )
    const app = device.start()
    await app.login()
    return { device, app }
  }

  it("a login says who the user is, and so does the session", async () => {
    const { device, app } = await signIn()
    const { user } = device.backend.settings
    expect(app.session?.user).toEqual(user)
    expect(await (await app.fetch(`${BASE}/session`)).json()).toMatchObject({
      session: {
        session_id: app.session?.id,
        sub: user.sub,
        provider: "main",
        created_at: expect.any(Number),
      },
      user_info: user,
    })
    device.clock.advance(3_600_000)
    device.backend.settings.user = { sub: "somebody else" }
    await app.refresh()
    expect(app.session?.user).toEqual(user)
  })

  it("the list has the sessions that are left, newest first, and says which is this one", async () => {
    const { device, app } = await signIn()
    device.clock.advance(60_000)
    const other = await signIn(device, { device: { name: "Tablet" } })
    const [second, first, ...more] = await app.sessions.list()
    expect(more).toEqual([])
    expect(first).toMatchObject({ session_id: app.session?.id, current: true, device: {} })
    expect(second).toMatchObject({
      session_id: other.app.session?.id,
      current: false,
      device: { name: "Tablet" },
    })
    expect((second?.created_at ?? 0) - (first?.created_at ?? 0)).toBe(60)
    expect(first?.last_seen_at).toBe(first?.created_at)
    expect((first?.expires_at ?? 0) - (first?.created_at ?? 0)).toBe(2_592_000)
    await app.sessions.revoke(`${second?.session_id}`)
    expect((await app.sessions.list()).map(({ session_id }) => session_id)).toEqual([app.session?.id])
  })

  it("a session that has ended may be ended again; one that never was is not_found", async () => {
    const { device, app } = await signIn()
    const other = await signIn(device)
    await app.sessions.revoke(`${other.app.session?.id}`)
    await app.sessions.revoke(`${other.app.session?.id}`)
    expect(await codeOf(app.sessions.revoke("AAAAAAAAAAAAAAAAAAAAAA"))).toBe("not_found")
  })

  it("a logout may be asked for twice, by the token or the line, and by nothing else", async () => {
    const { device, app } = await signIn()
    const bearer = await app.getSessionToken()
    const { refreshToken, verifier } = JSON.parse(`${device.storage.text()}`).session
    const out = async (headers: Record<string, string>, body = {}) =>
      (await device.backend.http(`${BASE}/logout`, { method: "POST", headers, body: JSON.stringify(body) }))
        .status
    const line = { refresh_token: refreshToken, session_verifier: verifier }
    expect(await out({}, { ...line, session_verifier: "wrong" })).toBe(401)
    expect(await out({})).toBe(401)
    expect([...device.backend.rows.values()][0]?.revoked).toBeUndefined()
    expect(await out({ authorization: `Bearer ${bearer}` })).toBe(200)
    expect(await out({ authorization: `Bearer ${bearer}` })).toBe(200)
    expect(await out({}, line)).toBe(200)
    expect(await codeOf(app.sessions.list())).toBe("session_revoked")
  })

  it.each([
    ["redirect_uri", "com.example.app://another"],
    ["iss", "https://evil.example/"],
  ])("a code is worth nothing with another %s", async (member, value) => {
    const { device } = await signIn()
    const { body } = device.backend.to("POST /exchange")[0] ?? {}
    const code = device.backend.issueCode(device.opened[0] ?? "")
    const exchange = async (more = {}) => {
      const init = { method: "POST", body: JSON.stringify({ ...body, code, ...more }) }
      const response = await device.backend.http(`${BASE}/exchange`, init)
      return [response.status, (await response.json()).error]
    }
    expect(await exchange({ [member]: value })).toEqual([400, "login_failed"])
    expect(await exchange()).toEqual([200, undefined])
  })
})

describe("a hosted login of the fake backend", () => {
  const begin = async (device: ReturnType<typeof fakeDevice>, delivery: string, more = {}) => {
    const body = { delivery, state: "the state", code_challenge: CHALLENGE, ...more }
    return post(device, "/start", body)
  }
  const post = async (device: ReturnType<typeof fakeDevice>, path: string, body: object) => {
    const init = { method: "POST", body: JSON.stringify(body) }
    const response = await device.backend.http(`https://api.example.com/auth${path}`, init)
    return { status: response.status, body: await response.json() }
  }
  // RFC 7636, appendix B.
  const VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
  const CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
  const proof = { code_verifier: VERIFIER, session_challenge: CHALLENGE }

  it("poll: pending, then the same grant for the same request, and for nobody else", async () => {
    const device = fakeDevice()
    const { login_id, authorize_url } = (await begin(device, "poll")).body
    const poll = (more = {}) => post(device, "/poll", { login_id, ...proof, ...more })
    expect(await poll()).toEqual({ status: 202, body: { status: "pending" } })
    expect(await poll({ code_verifier: "wrong" })).toMatchObject({
      status: 400,
      body: { error: "login_failed" },
    })
    expect(await post(device, "/redeem", { login_id, ...proof, handoff: "x" })).toMatchObject({ status: 400 })
    device.backend.finishLogin(authorize_url)
    const { body } = await poll()
    expect(body.refresh_token).toMatch(/./)
    expect((await poll()).body.refresh_token).toBe(body.refresh_token)
    expect((await poll({ session_challenge: VERIFIER })).status).toBe(400)
    device.clock.advance(600_001)
    expect(await poll()).toMatchObject({ status: 410, body: { error: "login_expired" } })
  })

  it("is what docs/testing.md says: who shows the code may log in at once", async () => {
    const flow = hosted({ delivery: "poll", show: ({ url }) => device.backend.finishLogin(url) })
    const device = fakeDevice({ flow })
    expect(await device.start().login()).toMatchObject({ status: "signed_in" })
  })

  it("redirect: a handoff for who has the verifier; another one burns nothing", async () => {
    const device = fakeDevice()
    const { login_id, authorize_url } = (await begin(device, "redirect", { redirect_uri: "app:/cb?a=1" }))
      .body
    expect((await post(device, "/redeem", { login_id, ...proof, handoff: "x" })).status).toBe(400)
    const { message, url } = device.backend.finishLogin(authorize_url)
    expect(message).toMatchObject({ type: "pkce", state: "the state", iss: "https://api.example.com/auth" })
    expect(url).toBe(
      `app:/cb?a=1&${new URLSearchParams({ handoff: `${message.handoff}`, state: "the state", iss: message.iss })}`,
    )
    const redeem = (more: object) => post(device, "/redeem", { login_id, ...proof, ...more })
    expect((await redeem({ handoff: "other" })).status).toBe(400)
    expect((await redeem({ handoff: message.handoff, code_verifier: "wrong" })).status).toBe(400)
    expect((await post(device, "/poll", { login_id, ...proof })).status).toBe(400)
    expect((await redeem({ handoff: message.handoff })).body.session_id).toMatch(/./)
    expect((await redeem({ handoff: message.handoff, login_id: "unknown" })).status).toBe(410)
  })

  it("says no where the person does, and knows only its own logins and deliveries", async () => {
    const device = fakeDevice()
    const { login_id, authorize_url } = (await begin(device, "poll")).body
    expect(device.backend.finishLogin(authorize_url, "access_denied").message).toEqual({
      type: "pkce",
      error: "access_denied",
      state: "the state",
      iss: "https://api.example.com/auth",
    })
    expect((await post(device, "/poll", { login_id, ...proof })).status).toBe(400)
    expect(() => device.backend.finishLogin("https://api.example.com/auth/login/x")).toThrow(
      "no hosted login",
    )
    expect((await begin(device, "redirect")).status).toBe(400)
    device.backend.settings.hosted = ["redirect"]
    expect((await begin(device, "poll")).status).toBe(400)
  })
})

it("the backend answers the global fetch through msw, by the rules of the wire", async () => {
  const clock = fakeClock()
  const backend = fakeBackend(clock)
  server.use(...mswHandlers(http, backend, "https://api.example.com/auth"))
  server.listen({ onUnhandledRequest: "error" })
  const { http: _, ...platform } = fakeDevice({}, { clock, backend, storage: fakeStorage() }).platform()
  const auth = createPkceClient({
    server: "https://api.example.com/auth",
    redirectUri: REDIRECT,
    platform,
    providers: [provider],
  })
  expect(await auth.login()).toMatchObject({ status: "signed_in" })
  clock.advance(3_600_000)
  backend.faults.push("lost")
  expect(await auth.getSessionToken()).toMatch(/^st\./)
  expect(backend.to("POST /refresh")).toHaveLength(2)
  expect(await auth.sessions.list()).toHaveLength(1)
})
