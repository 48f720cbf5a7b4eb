import { copyFile, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { logInHeadless } from "@pkce-examples/local-provider"
import { type RunningBackend, startBackend } from "@pkce-examples/local-provider/backend"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { type App, python, startApp } from "./support/driver.js"
import { type Network, startNetwork } from "./support/network.js"

const DEEP_LINK = "com.example.app://auth/callback"
const user = "Ada Lovelace"

describe.skipIf(!python)("the Python client (needs python3, 3.9 or newer)", () => {
  let backend: RunningBackend
  let network: Network
  let folder: string
  let file: string
  const apps: App[] = []

  beforeAll(async () => {
    backend = await startBackend()
  })
  afterAll(() => backend?.close())
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "pkce-python-"))
    file = join(folder, "session.json")
    network = await startNetwork(backend.url)
  })
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.kill()))
    await network.close()
    await rm(folder, { recursive: true, force: true })
  })

  const start = (path = file, server = network.url) => {
    const app = startApp(server, path, (url) => logInHeadless(url, { user }))
    apps.push(app)
    return app
  }
  const stored = async () => JSON.parse(await readFile(file, "utf8"))
  /** A logged-in app whose next refresh needs a new step. */
  const loggedIn = async () => {
    const app = start()
    await app.call("loopback")
    await app.call("advance", 3600)
    return app
  }
  const repeats = () => backend.events.filter((event) => event.type === "session.refreshed" && event.repeat)

  it("logs in by a loopback port, calls the API, refreshes, lists its devices and logs out", async () => {
    const app = start()
    expect(await app.call("restore")).toBeNull()
    const session = await app.call<{ id: string; user: { name: string } }>("loopback")
    expect(session.user.name).toBe(user)

    const me = await app.call<{ status: number; body: string }>("fetch", "/me")
    expect(me.status).toBe(200)
    expect(JSON.parse(me.body).sub).toMatch(/^[\w-]{43}$/)
    await expect(app.call("fetch", "http://127.0.0.1:9/me")).rejects.toMatchObject({
      code: "origin_not_allowed",
    })

    // When the session token has ended, a new start of the app renews it.
    const again = start()
    await again.call("advance", 3600)
    const token = await app.call("token")
    expect(await again.call("fetch", "/me")).toMatchObject({ status: 200 })
    expect(await again.call("token")).not.toBe(token)

    const other = start(join(folder, "other.json"))
    const { id } = await other.call<{ id: string }>("loopback")
    const devices = await again.call<{ session_id: string; current: boolean }[]>("sessions")
    expect(devices.map(({ session_id, current }) => [session_id, current])).toEqual(
      expect.arrayContaining([
        [session.id, true],
        [id, false],
      ]),
    )
    await again.call("revoke", id)
    await other.call("advance", 3600)
    expect(await other.call("token")).toBeNull()
    expect(other.signedOut).toEqual(["session_revoked"])

    const logoutUrl = await again.call<string>("logout")
    expect(logoutUrl.startsWith(`${backend.url}/logout/`)).toBe(true)
    expect(await again.call("session")).toBeNull()
    expect(await again.call("fetch", "/me")).toMatchObject({ status: 401 })
    expect(await stored()).toMatchObject({ session: null, logins: [], used: [] })
    expect(await backend.auth.sessions.get(session.id)).toBeNull()
  })

  it("logs out here while the backend cannot be reached", async () => {
    const app = start()
    await app.call("loopback")
    const dead = start(file, "http://127.0.0.1:9/auth")
    expect(await dead.call("logout")).toBeNull()
    expect(await app.call("session")).toBeNull()
  })

  it("takes a deep link as the route that Flet makes of it, once", async () => {
    const app = start()
    const url = await app.call<string>("begin", DEEP_LINK)
    const { url: link } = await logInHeadless(url, { user })
    expect(link.startsWith(`${DEEP_LINK}?`)).toBe(true)
    const route = link.slice("com.example.app://auth".length)

    const forged = `/callback?code=abc&state=${"x".repeat(43)}`
    await expect(app.call("callback", forged)).rejects.toMatchObject({
      code: "state_mismatch",
      ignorable: true,
    })
    const denied = `/callback?error=access_denied&state=${"x".repeat(43)}`
    await expect(app.call("callback", denied)).rejects.toMatchObject({
      code: "state_mismatch",
      ignorable: true,
    })
    expect(await app.call("callback", route)).toMatchObject({ user: { name: user } })
    await expect(app.call("callback", route)).rejects.toMatchObject({
      code: "callback_used",
      ignorable: true,
    })
    expect(network.sent["/exchange"]).toHaveLength(1)
  })

  it("finishes a login whose answer was lost, by the identical request", async () => {
    const lost = network.fault("/exchange", { kind: "lose" })
    await start().call("loopback")
    await lost
    const [first, second] = network.sent["/exchange"] ?? []
    expect(network.sent["/exchange"]).toHaveLength(2)
    expect(second).toBe(first)
  })

  it("finishes at the next start a login that was killed while its code was on the way", async () => {
    const held = network.fault("/exchange", { kind: "hold" })
    const app = start()
    const never = app.call("loopback").catch(() => "killed")
    await held
    await app.kill()
    expect(await never).toBe("killed")
    expect((await stored()).session).toBeNull()

    expect(await start().call("restore")).toMatchObject({ user: { name: user } })
    const [first, second] = network.sent["/exchange"] ?? []
    expect(second).toBe(first)
  })

  it("repeats a refresh whose answer was lost, and is not logged out", async () => {
    const app = await loggedIn()
    const before = repeats().length
    const lost = network.fault("/refresh", { kind: "lose" })
    expect(await app.call("refresh")).toMatch(/^ey/)
    await lost
    const [first, second] = network.sent["/refresh"] ?? []
    expect(network.sent["/refresh"]).toHaveLength(2)
    expect(second).toBe(first)
    expect(repeats()).toHaveLength(before + 1)
    expect(app.signedOut).toEqual([])
  })

  it("goes on after a kill between the durable step and its answer", async () => {
    const app = await loggedIn()
    const held = network.fault("/refresh", { kind: "hold" })
    const never = app.call("refresh").catch(() => "killed")
    await held
    const { pending } = (await stored()).session
    expect(pending).toMatch(/^[\w-]{43}$/)
    await app.kill()
    expect(await never).toBe("killed")

    const again = start()
    await again.call("advance", 3600)
    const before = repeats().length
    expect(await again.call("restore")).toMatchObject({ user: { name: user } })
    expect(await again.call("token")).toMatch(/^ey/)
    const [first, second] = network.sent["/refresh"] ?? []
    expect(second).toBe(first)
    expect(repeats()).toHaveLength(before + 1)
    expect((await stored()).session).toMatchObject({ pending: null, verifier: pending })
  })

  it.each([
    ["a portal's 401 page", 401, {}, "<html>"],
    ["a 401 of our form without our header", 401, {}, '{"error":"invalid_token","retryable":false}'],
    ["a 401 that is no JSON, with our header", 401, { "pkce-protocol": "1" }, "no"],
    ["a redirect to a login page", 302, { location: "http://127.0.0.1:9/" }, ""],
    ["a failing backend", 503, { "pkce-protocol": "1" }, '{"error":"unavailable","retryable":true}'],
  ])("%s ends nothing", async (_, status, headers, body) => {
    const app = await loggedIn()
    network.fault("/refresh", { kind: "intercept", status, headers: { ...headers }, body })
    expect(await app.call("refresh")).toMatch(/^ey/)
    expect(network.sent["/refresh"]).toHaveLength(2)
    expect(app.signedOut).toEqual([])
  })

  it("stops at a refusal that is no reason to log out, and tries again at the next start", async () => {
    const app = await loggedIn()
    const body = '{"error":"invalid_request","retryable":false}'
    network.fault("/refresh", { kind: "intercept", status: 400, headers: { "pkce-protocol": "1" }, body })
    await expect(app.call("refresh")).rejects.toMatchObject({ code: "stalled" })
    await expect(app.call("refresh")).rejects.toMatchObject({ code: "stalled" })
    expect(network.sent["/refresh"]).toHaveLength(1)
    expect(app.signedOut).toEqual([])

    const again = start()
    await again.call("advance", 3600)
    expect(await again.call("token")).toMatch(/^ey/)
  })

  it("is logged out when somebody else used its storage, and says why", async () => {
    const app = await loggedIn()
    const copy = join(folder, "copy.json")
    await copyFile(file, copy)
    const thief = start(copy)
    await thief.call("advance", 3600)
    expect(await thief.call("refresh")).toMatch(/^ey/)

    expect(await app.call("refresh")).toBeNull()
    expect(app.signedOut).toEqual(["session_reuse_detected"])
    expect(await app.call("session")).toBeNull()
    await thief.call("advance", 3600)
    expect(await thief.call("token")).toBeNull()
    expect(thief.signedOut).toEqual(["session_revoked"])
  })

  it("begins one new step in ten seconds at most", async () => {
    const app = await loggedIn()
    const token = await app.call("refresh")
    expect(await app.call("refresh")).toBe(token)
    expect(network.sent["/refresh"]).toHaveLength(1)
    await app.call("advance", 11)
    expect(await app.call("refresh")).not.toBe(token)
    expect(network.sent["/refresh"]).toHaveLength(2)
  })

  it("keeps what it knows where only its user can read it, and leaves nothing beside it", async () => {
    await start().call("loopback")
    for (const name of await readdir(folder)) {
      expect([name, (await stat(join(folder, name))).mode & 0o077]).toEqual([name, 0])
    }
    expect((await readdir(folder)).sort()).toEqual(["session.json", "session.json.lock"])
  })
})
