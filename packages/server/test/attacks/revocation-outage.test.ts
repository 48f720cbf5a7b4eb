import { once } from "node:events"
import { Redis } from "ioredis"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { PkceEvent } from "../../src/events.js"
import { createPkceServer } from "../../src/server.js"
import type { PkceServer } from "../../src/server-types.js"
import type { Store } from "../../src/stores/contract.js"
import { memoryStore } from "../../src/stores/memory.js"
import { redisStore } from "../../src/stores/redis.js"
import {
  call,
  type Fixture,
  parsed,
  random,
  s256,
  startServer,
  wire,
  withoutPush,
} from "../support/server.js"
import { notRun, type OwnServer, startRedis } from "../support/services.js"

/** Two processes with one store. What the first one asks of it fails, or never ends, for the methods that are named. */
let fixture: Fixture
let twin: PkceServer
let faulty: Set<keyof Store>
let fault: "fails" | "hangs"
let told: unknown[]

async function start(inner: Store) {
  faulty = new Set()
  fault = "fails"
  told = []
  const store = new Proxy(inner, {
    get(target, name: keyof Store) {
      const member = target[name]
      if (typeof member !== "function" || !faulty.has(name)) return member
      return () =>
        fault === "fails" ? Promise.reject(new Error("CANARY gone")) : new Promise(() => undefined)
    },
  })
  fixture = await startServer({ store, onReuse: (reuse) => void told.push(reuse) })
  twin = createPkceServer({ ...fixture.options, store: inner })
}

async function signIn() {
  const login = fixture.login()
  const grant = parsed(await call(fixture.auth, { path: "/exchange", body: wire(login) }))
  const token = String(grant.session_token)
  return { login, grant, token, sid: grant.session_id, sub: String(grant.user_info?.sub) }
}
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const whoAmI = async (auth: PkceServer, token: string) =>
  (await call(auth, { method: "GET", path: "/session", headers: bearer(token) })).status
const eventsOf = (type: PkceEvent["type"]) => fixture.events.filter((event) => event.type === type)

describe("F12: while the store is down", () => {
  beforeEach(async () => {
    // Without push, so that nothing but the repeat can bring it about.
    await start(withoutPush(memoryStore()))
  })
  afterEach(async () => {
    vi.useRealTimers()
    await twin.close()
    await fixture.close()
  })

  /** Lets a minute pass, and what it brings. */
  async function later() {
    for (let second = 0; second < 60; second++) await vi.advanceTimersByTimeAsync(1_000)
  }
  function fakeTimers() {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] })
  }

  it.each([
    ["revoke", "fails"],
    ["revoke", "hangs"],
    ["find", "fails"],
    ["find", "hangs"],
  ] as const)(
    "F12: a logout is 503 (%s %s), holds here at once, and everywhere by and by",
    async (...how) => {
      const { token, sid, sub } = await signIn()
      fakeTimers()
      faulty.add(how[0])
      fault = how[1]
      const answering = call(fixture.auth, { path: "/logout", headers: bearer(token) })
      await vi.advanceTimersByTimeAsync(1_800)
      const answer = await answering
      expect([answer.status, parsed(answer).error]).toEqual([503, "unavailable"])
      expect(await fixture.auth.authenticate(token)).toBeNull()
      expect(await whoAmI(twin, token)).toBe(200)

      await later()
      expect(await whoAmI(twin, token)).toBe(200)
      faulty.clear()
      await later()
      expect(await whoAmI(twin, token)).toBe(401)
      // The user's own call failed once; what the repeats met is nobody's news.
      expect(eventsOf("store.failed")).toHaveLength(1)
      expect(eventsOf("session.revoked")).toMatchObject([{ session_id: sid, sub, reason: "logout" }])
    },
  )

  it("F12: a logout that is asked for again is answered as ever, also after the repeat", async () => {
    const { token, sid } = await signIn()
    fakeTimers()
    const logout = () => call(fixture.auth, { path: "/logout", headers: bearer(token) })
    faulty.add("revoke")
    for (let i = 0; i < 3; i++) expect((await logout()).status).toBe(503)
    expect(eventsOf("store.failed")).toHaveLength(3)
    faulty.clear()
    expect((await logout()).status).toBe(200)
    await later()
    expect((await logout()).status).toBe(200)
    expect(eventsOf("session.revoked")).toMatchObject([{ session_id: sid }])
  })

  it("F12: the end of all others is made up for, without what has begun since", async () => {
    const [mine, other] = [await signIn(), await signIn()]
    fakeTimers()
    faulty.add("revokeByUser")
    const request = { method: "DELETE", path: "/sessions", headers: bearer(mine.token) }
    expect((await call(fixture.auth, request)).status).toBe(503)
    await later()
    expect(await whoAmI(twin, other.token)).toBe(401)
    expect(await whoAmI(twin, mine.token)).toBe(200)
    // Refused without asking the store, too.
    expect(await fixture.auth.authenticate(other.token)).toBeNull()
    expect(eventsOf("session.revoked")).toMatchObject([{ session_id: other.sid, reason: "user" }])
  })

  it("F1, F12: two parties that were found are told of, though the store failed just then", async () => {
    const { login, grant, token, sid, sub } = await signIn()
    const use = () => ({
      path: "/refresh",
      body: {
        refresh_token: grant.refresh_token,
        session_verifier: login.verifier,
        session_challenge: s256(random()),
      },
    })
    expect((await call(fixture.auth, use())).status).toBe(200)
    fakeTimers()
    faulty.add("revoke")
    expect((await call(fixture.auth, use())).status).toBe(503)
    expect(await fixture.auth.authenticate(token)).toBeNull()
    expect(told).toEqual([])
    faulty.clear()
    await later()
    expect(await whoAmI(twin, token)).toBe(401)
    expect(told).toEqual([{ session_id: sid, sub }])
    expect(eventsOf("session.revoked")).toMatchObject([{ session_id: sid, sub, reason: "reuse" }])
  })

  it("F12: a pair of the line ends nothing before the store has said that it is the present one", async () => {
    const { login, grant, token } = await signIn()
    fakeTimers()
    faulty.add("find")
    const body = { refresh_token: grant.refresh_token, session_verifier: login.verifier }
    expect((await call(fixture.auth, { path: "/logout", body })).status).toBe(503)
    faulty.clear()
    await later()
    expect(await whoAmI(fixture.auth, token)).toBe(200)
  })

  it("F12: a server that is closed repeats nothing", async () => {
    const { token, sid } = await signIn()
    fakeTimers()
    faulty.add("revoke")
    await expect(fixture.auth.sessions.revoke(sid)).rejects.toMatchObject({ code: "unavailable" })
    await fixture.auth.close()
    faulty.clear()
    await later()
    expect(await whoAmI(twin, token)).toBe(200)
    expect(vi.getTimerCount()).toBe(0)
  })
})

const settings = { appendonly: "yes", appendfsync: "always" }
const server: OwnServer | null = await startRedis(settings)
if (!server) notRun("F12 with a Redis that is killed")

describe.runIf(server)("F12: with a Redis that is killed and started again", () => {
  const clients: Redis[] = []
  const connected = async () => {
    // No queue in the driver: it would make up for the revocation itself.
    const client = new Redis(server?.url ?? "", { enableOfflineQueue: false, retryStrategy: () => 50 })
    client.on("error", () => undefined)
    clients.push(client)
    if (client.status !== "ready") await once(client, "ready")
    return client
  }
  afterEach(async () => {
    await twin.close()
    await fixture.close()
    for (const client of clients.splice(0)) client.disconnect()
    await server?.close()
  })

  it("F12: logouts and the end of all sessions that were 503 have happened when it is back", async () => {
    await start(withoutPush(redisStore(await connected())))
    const stranger = fixture.idp.finishLogin({ sub: "somebody else" })
    const [mine, others] = [await signIn(), await signIn()]
    const body = wire({ ...fixture.login(), ...stranger })
    const theirs = parsed(await call(fixture.auth, { path: "/exchange", body }))

    await server?.kill()
    const logout = await call(fixture.auth, { path: "/logout", headers: bearer(mine.token) })
    expect(logout.status).toBe(503)
    const sub = String(theirs.user_info?.sub)
    await expect(fixture.auth.sessions.revokeAll(sub)).rejects.toMatchObject({ code: "unavailable" })
    expect(await fixture.auth.authenticate(mine.token)).toBeNull()
    expect(await fixture.auth.authenticate(String(theirs.session_token))).not.toBeNull()

    await server?.start()
    await expect.poll(() => eventsOf("session.revoked").length, { timeout: 15_000 }).toBe(2)
    for (const token of [mine.token, String(theirs.session_token)])
      await expect.poll(() => whoAmI(twin, token)).toBe(401)
    expect(await fixture.auth.authenticate(String(theirs.session_token))).toBeNull()
    expect(await whoAmI(twin, others.token)).toBe(200)
    expect(eventsOf("store.failed")).toHaveLength(2)
  })
})
