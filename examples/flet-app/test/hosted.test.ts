import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createHeadlessBrowser } from "@pkce-examples/local-provider"
import { type RunningBackend, startBackend } from "@pkce-examples/local-provider/backend"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { type App, python, startApp } from "./support/driver.js"
import { type Network, startNetwork } from "./support/network.js"

const DEEP_LINK = "com.example.app://auth/callback"

interface Poll {
  state: string
  url: string
  code: string
  interval: number
}

describe.skipIf(!python)("the Python client's hosted login (needs python3, 3.9 or newer)", () => {
  let backend: RunningBackend
  let network: Network
  let folder: string
  const apps: App[] = []

  beforeAll(async () => {
    backend = await startBackend({ hosted: { poll: true } })
  })
  afterAll(() => backend?.close())
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "pkce-python-"))
    network = await startNetwork(backend.url)
  })
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.kill()))
    await network.close()
    await rm(folder, { recursive: true, force: true })
  })

  const browse = (url: string) => createHeadlessBrowser({ user: "Grace Hopper" }).visit(url)
  const start = () => {
    const app = startApp(network.url, join(folder, "session.json"), browse)
    apps.push(app)
    return app
  }
  /** Where the page's button leads, which its script presses in a real browser. */
  const linkOf = (html: string) =>
    /<a [^>]*href="(com\.example\.app:[^"]+)"/.exec(html)?.[1]?.replaceAll("&amp;", "&") ?? ""
  /** What Flet makes of a link. */
  const routeOf = (link: string) => link.replace("com.example.app://auth", "")

  it("by poll: the page shows the app's code, and the app is logged in when the user is done", async () => {
    const app = start()
    const poll = await app.call<Poll>("begin_poll")
    expect(await (await fetch(poll.url)).text()).toContain(poll.code)
    const session = app.call("wait_for_poll", poll)
    expect((await browse(poll.url)).status).toBe(200)
    expect(await session).toMatchObject({ user: { name: "Grace Hopper" } })
    expect(await app.call("fetch", "/me")).toMatchObject({ status: 200 })
    await app.call("advance", 3600)
    expect(await app.call("token")).toMatch(/^ey/)
    await app.call("logout")
    expect(await app.call("session")).toBeNull()
  })

  it("by poll: a lost answer and a kill change nothing, the identical request has the identical session", async () => {
    const app = start()
    const poll = await app.call<Poll>("begin_poll")
    await browse(poll.url)
    const lost = network.fault("/poll", { kind: "lose" })
    const held = network.fault("/poll", { kind: "hold" })
    const never = app.call("wait_for_poll", poll).catch(() => "killed")
    await lost
    await held
    await app.kill()
    expect(await never).toBe("killed")

    const again = start()
    expect(await again.call("pending_poll")).toEqual(poll)
    const { id } = await again.call<{ id: string }>("wait_for_poll", poll)
    const bodies = network.sent["/poll"] ?? []
    expect(bodies).toHaveLength(3)
    expect(new Set(bodies).size).toBe(1)
    const devices = await again.call<{ session_id: string }[]>("sessions")
    expect(devices.map(({ session_id }) => session_id)).toContain(id)
    await again.call("revoke", id)
  })

  it("by poll: who knows the public id alone gets nothing and burns nothing", async () => {
    const app = start()
    const poll = await app.call<Poll>("begin_poll")
    await browse(poll.url)
    const stranger = await fetch(`${backend.url}/poll`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ login_id: poll.url.slice(-22), code_verifier: "v".repeat(43) }),
    })
    expect(stranger.status).toBe(400)
    expect(await app.call("wait_for_poll", poll)).toMatchObject({ user: { name: "Grace Hopper" } })
  })

  it("by deep link: the route that Flet makes of it is redeemed, once, also when the answer was lost", async () => {
    const app = start()
    const page = await browse(await app.call<string>("begin_hosted", DEEP_LINK))
    const link = linkOf(page.body)
    expect(new URL(link).searchParams.get("iss")).toBe(backend.url)
    const forged = routeOf(link).replace(/state=[^&]+/, `state=${"x".repeat(43)}`)
    await expect(app.call("callback", forged)).rejects.toMatchObject({ code: "state_mismatch" })

    const lost = network.fault("/redeem", { kind: "lose" })
    expect(await app.call("callback", routeOf(link))).toMatchObject({ user: { name: "Grace Hopper" } })
    await lost
    const [first, second] = network.sent["/redeem"] ?? []
    expect(second).toBe(first)
    await expect(app.call("callback", routeOf(link))).rejects.toMatchObject({ code: "callback_used" })
  })

  it("by deep link: a handoff of another app's login is not redeemed", async () => {
    const mine = start()
    const other = startApp(network.url, join(folder, "other.json"), browse)
    apps.push(other)
    await mine.call("begin_hosted", DEEP_LINK)
    const page = await browse(await other.call<string>("begin_hosted", DEEP_LINK))
    await expect(mine.call("callback", routeOf(linkOf(page.body)))).rejects.toMatchObject({
      code: "state_mismatch",
      ignorable: true,
    })
    expect(network.sent["/redeem"]).toBeUndefined()
  })

  it("by a loopback port of this machine", async () => {
    expect(await start().call("loopback", true)).toMatchObject({ user: { name: "Grace Hopper" } })
    expect(network.sent["/redeem"]).toHaveLength(1)
  })

  it("a redirect URI that is not on the backend's list is refused", async () => {
    await expect(start().call("begin_hosted", "com.evil.app://auth/callback")).rejects.toMatchObject({
      code: "redirect_uri_not_allowed",
      retryable: false,
    })
  })
})
