import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { click } from "../../server/test/support/hosted.js"
import { createPkceClient, type PkceClientOptions } from "../src/client.js"
import { hosted, type UserCode } from "../src/hosted.js"
import { webCrypto } from "../src/pkce/crypto.js"
import { answer } from "../src/testing/answers.js"
import { provider } from "../src/testing/backend.js"
import { codeOf, fakeDevice } from "../src/testing/device.js"
import { fakeStorage } from "../src/testing/storage.js"
import { denialOf, type HostedWorld, startHostedWorld } from "./support/hosted-world.js"

let world: HostedWorld
beforeAll(async () => {
  world = await startHostedWorld()
})
afterAll(() => world.backend.close())
afterEach(() => {
  world.fault = null
  world.asked.length = 0
})

/** A television at the real backend: it shows a code, and nothing comes back to it. */
function television() {
  const storage = fakeStorage()
  const shown: UserCode[] = []
  const visited: string[] = []
  const told: string[] = []
  const { clock, http, server } = world
  const browser = {
    start: () => Promise.reject(new Error("opened")),
    visit: (url: string) => void visited.push(url),
  }
  const platform = { name: "tv", clock, crypto: webCrypto, http, storage, browser }
  return {
    storage,
    shown,
    visited,
    told,
    start(options: Parameters<typeof hosted>[0] = {}) {
      const flow = hosted({ delivery: "poll", show: (user) => shown.push(user), ...options })
      const app = createPkceClient({ server, platform, flow, device: { name: "Ada's television" } })
      app.subscribe(({ type }) => told.push(type))
      return app
    },
  }
}

const polls = () => world.asked.filter(({ route }) => route === "POST /poll")
const statuses = () => polls().map(({ status }) => status)
const soon = { timeout: 10_000, interval: 5 }

/** The person opens the page elsewhere and logs in. Answers what the page has shown. */
async function logInAt(url: string) {
  const browser = world.backend.browser()
  const page = await browser.open(url)
  expect((await click(browser, page)).status).toBe(200)
  return page.html
}

describe("P18 a hosted login by poll at a real backend and a real provider", () => {
  it("shows the page's own code, waits through 202s, and is signed in once the person is", async () => {
    const tv = television()
    const app = tv.start()
    const login = app.login({ appState: "mine" })
    await expect.poll(() => statuses().filter((status) => status === 202).length, soon).toBeGreaterThan(1)
    const [{ code, url } = { code: "", url: "" }] = tv.shown
    expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/)
    expect(tv.visited).toEqual([url])
    const html = await logInAt(url)
    expect(html).toContain(`>${code}<`)
    expect(html).toContain("Ada&#39;s television")
    expect(await login).toMatchObject({
      status: "signed_in",
      appState: "mine",
      session: { user: { idp_sub: "ada" } },
    })
    expect(await app.getSessionToken()).toMatch(/^ey/)
    expect(new Set(polls().map(({ body }) => body)).size).toBe(1)
    expect(tv.told).toEqual(["signed_in"])
    const { redirect_uri, delivery } = JSON.parse(
      world.asked.find(({ route }) => /start/.test(route))?.body ?? "",
    )
    expect([redirect_uri, delivery]).toEqual([undefined, "poll"])
  })

  it("an outage in the middle, and a lost grant, change nothing", async () => {
    const tv = television()
    const login = tv.start().login()
    await expect.poll(() => statuses(), soon).toContain(202)
    let broken = 0
    world.fault = () => (++broken <= 9 ? "down" : undefined)
    await expect.poll(() => broken, soon).toBeGreaterThan(9)
    let lost = 0
    world.fault = () => (++lost <= 2 ? "lost" : undefined)
    await logInAt(tv.shown[0]?.url ?? "")
    expect(await login).toMatchObject({ status: "signed_in" })
    expect(new Set(polls().map(({ body }) => body)).size).toBe(1)
    expect(await world.sessions()).toContain(
      (await login).status === "signed_in" && tv.storage.text()?.match(/"id":"([^"]+)"/)?.[1],
    )
  })

  it("the person says no: login_failed, and nothing goes on", async () => {
    const tv = television()
    const login = codeOf(tv.start().login())
    await expect.poll(() => tv.shown, soon).toHaveLength(1)
    const browser = world.backend.browser()
    const url = tv.shown[0]?.url ?? ""
    const page = await browser.open(url)
    const [, confirm = ""] = /name="confirm" value="([^"]+)"/.exec(page.html) ?? []
    await browser.open(await denialOf(browser, url, { confirm }))
    expect(await login).toBe("login_failed")
    const asked = polls().length
    expect(JSON.parse(tv.storage.text() ?? "").logins).toEqual([])
    expect(await tv.start().restore()).toMatchObject({ session: null })
    expect(polls()).toHaveLength(asked)
  })

  it("killed in the middle: restore() does not wait, and the login ends in the event", async () => {
    const tv = television()
    // Its answer never comes.
    const dead = tv.start()
    void dead.login()
    await expect.poll(() => statuses(), soon).toContain(202)
    world.fault = () => "down"
    const app = tv.start()
    expect(await app.restore()).toEqual({ session: null, login: undefined })
    world.fault = null
    await logInAt(tv.shown[0]?.url ?? "")
    await expect.poll(() => app.session, soon).not.toBeNull()
    expect(tv.told).toContain("signed_in")
    expect(new Set(polls().map(({ body }) => body)).size).toBe(1)
  })
})

describe("polling on virtual time", () => {
  const tv = (options: Parameters<typeof hosted>[0] = {}, more: Partial<PkceClientOptions> = {}) => {
    const shown: UserCode[] = []
    const flow = hosted({ delivery: "poll", show: (user) => shown.push(user), ...options })
    const device = fakeDevice({ providers: [provider], flow, ...more })
    const told: string[] = []
    return {
      device,
      shown,
      told,
      backend: device.backend,
      asked: () => device.backend.to("POST /poll").length,
      logins: () => JSON.parse(device.storage.text() ?? '{"logins":[]}').logins,
      /** `http` stands between the app and the backend. */
      start(http: typeof fetch = device.backend.http) {
        const app = device.start({ platform: { ...device.platform(), http } })
        app.subscribe((event) => told.push(event.type === "login_failed" ? event.error.code : event.type))
        return app
      },
    }
  }
  /** Long enough in real time for many polls in virtual time. */
  const aWhile = () => new Promise((resolve) => setTimeout(resolve, 150))

  it("an abort is cancelled at once, and nobody asks any more", async () => {
    const { start, shown, backend, asked, logins } = tv()
    const controller = new AbortController()
    const login = start().login({ signal: controller.signal })
    await expect.poll(asked).toBeGreaterThan(1)
    backend.faults.push("hangs")
    await expect.poll(() => backend.faults.length).toBe(0)
    const before = asked()
    controller.abort()
    expect(await login).toEqual({ status: "cancelled" })
    expect(asked()).toBe(before)
    expect(logins()).toEqual([])
    await aWhile()
    expect(asked()).toBeLessThanOrEqual(before + 2)
    // Who logs in at the page all the same opens no session here.
    backend.finishLogin(shown[0]?.url ?? "")
    await aWhile()
    expect(backend.rows.size).toBe(0)
  })

  it("aborted before it began nothing is sent, and no page is shown", async () => {
    const { start, shown, backend } = tv()
    expect(await start().login({ signal: AbortSignal.abort() })).toEqual({ status: "cancelled" })
    expect([shown, backend.requests]).toEqual([[], []])
  })

  it("aborted while it begins: cancelled at once, no page is shown, and no login is kept", async () => {
    const { start, shown, backend, logins, asked, device } = tv()
    const controller = new AbortController()
    backend.faults.push("hangs")
    const login = start().login({ signal: controller.signal })
    await expect.poll(() => backend.to("POST /start").length, { interval: 1 }).toBeGreaterThan(0)
    controller.abort()
    expect(await login).toEqual({ status: "cancelled" })
    await aWhile()
    expect([shown, logins(), asked(), device.visited]).toEqual([[], [], 0, []])
  })

  it("an abort that comes after the session was stored does not take it back, nor write anything", async () => {
    const { start, shown, backend, device } = tv()
    const controller = new AbortController()
    const app = start()
    const login = app.login({ signal: controller.signal })
    await expect.poll(() => shown).toHaveLength(1)
    backend.finishLogin(shown[0]?.url ?? "")
    expect(await login).toMatchObject({ status: "signed_in" })
    const writes = device.storage.writes()
    controller.abort()
    await aWhile()
    expect(app.session).not.toBeNull()
    expect(device.storage.writes()).toBe(writes)
  })

  it("an abort that loses against a grant under way ends that session at the backend", async () => {
    const { start, shown, backend } = tv()
    const controller = new AbortController()
    const app = start()
    const login = app.login({ signal: controller.signal })
    await expect.poll(() => shown).toHaveLength(1)
    backend.finishLogin(shown[0]?.url ?? "")
    backend.faults.push(() => {
      controller.abort()
      return undefined
    })
    expect(await login).toEqual({ status: "cancelled" })
    await expect
      .poll(() => [...backend.rows.values()].map(({ revoked }) => revoked))
      .toEqual(["session_revoked"])
    expect(app.session).toBeNull()
  })

  it("a storage that fails does not keep a person from giving up", async () => {
    const { start, device, asked } = tv()
    const controller = new AbortController()
    const login = start().login({ signal: controller.signal })
    await expect.poll(asked, { interval: 1 }).toBeGreaterThan(0)
    device.storage.failing = true
    controller.abort()
    expect(await login).toEqual({ status: "cancelled" })
  })

  it("what the app's own show throws is the app's to see", async () => {
    const mistake = new Error("no such element")
    const show = () => {
      throw mistake
    }
    const device = fakeDevice({ providers: [provider], flow: hosted({ delivery: "poll", show }) })
    await expect(device.start().login()).rejects.toBe(mistake)
    expect(device.backend.to("POST /poll")).toEqual([])
  })

  it("a logout while it waits ends it: callback_used, and nobody asks any more", async () => {
    const { start, asked, logins } = tv()
    const app = start()
    const login = codeOf(app.login())
    await expect.poll(asked).toBeGreaterThan(0)
    await app.logout()
    expect(await login).toBe("callback_used")
    const before = asked()
    await aWhile()
    expect([asked(), logins()]).toEqual([before, []])
  })

  it("login_expired is the backend's last word", async () => {
    const { start, device, logins, asked } = tv()
    const login = codeOf(start().login())
    await expect.poll(asked).toBeGreaterThan(0)
    device.clock.advance(600_001)
    expect(await login).toBe("login_expired")
    expect(logins()).toEqual([])
  })

  it("a backend that says pending for ever is asked for ten minutes", async () => {
    const { start, device, backend } = tv()
    const before = device.clock.monotonic()
    const pending = () => answer(202, { status: "pending" })
    const login = start(async (input, init) =>
      /poll$/.test(`${input}`) ? pending() : backend.http(input, init),
    )
    expect(await codeOf(login.login())).toBe("flow_expired")
    const minutes = (device.clock.monotonic() - before) / 60_000
    expect(minutes).toBeGreaterThan(10)
    expect(minutes).toBeLessThan(10.1)
  })

  it("after a restart one that is older than ten minutes is left alone", async () => {
    const { start, device, asked } = tv()
    start()
      .login()
      .catch(() => {})
    await expect.poll(asked, { interval: 1 }).toBeGreaterThan(0)
    const text = device.storage.text()
    const later = fakeDevice({ providers: [provider], flow: hosted({ delivery: "poll" }) })
    await later.storage.update(() => text)
    later.clock.advance(600_001)
    expect(await later.start().restore()).toEqual({ session: null, login: undefined })
    expect(later.backend.requests).toEqual([])
  })

  it("after a restart one that comes to nothing is told by an event, and restore() has not waited", async () => {
    const { device, start, asked, told, logins } = tv()
    // The process dies with its record written.
    device.storage.at(1, "dies after")
    start()
      .login()
      .catch(() => {})
    await expect.poll(logins).toHaveLength(1)
    const app = start()
    expect(await app.restore()).toEqual({ session: null, login: undefined })
    await expect.poll(asked, { interval: 1 }).toBeGreaterThan(0)
    const { login_id } = device.backend.to("POST /poll")[0]?.body ?? {}
    device.backend.finishLogin(`https://api.example.com/auth/login/${login_id}`, "access_denied")
    await expect.poll(() => told).toEqual(["login_failed"])
    expect(logins()).toEqual([])
  })

  it("several at once: each has its code, the newest session stays, and a sixth lets the first go", async () => {
    const { start, shown, backend, logins } = tv()
    const app = start()
    const all = Array.from({ length: 6 }, () => app.login().catch((error) => error.code))
    await expect.poll(() => shown.length).toBe(6)
    expect(new Set(shown.map(({ code }) => code)).size).toBe(6)
    expect(logins()).toHaveLength(5)
    for (const { url } of shown) backend.finishLogin(url)
    const results = await Promise.all(all)
    expect(results.filter((result) => result.status === "signed_in")).toHaveLength(5)
    expect(results).toContain("callback_used")
    await expect.poll(() => [...backend.rows.values()].filter(({ revoked }) => !revoked)).toHaveLength(1)
  })

  it("one of two is given up: it stops asking, and the other goes on", async () => {
    const { start, shown, backend } = tv()
    const app = start()
    const controller = new AbortController()
    const given = app.login({ signal: controller.signal })
    await expect.poll(() => shown, { interval: 1 }).toHaveLength(1)
    const kept = app.login()
    await expect.poll(() => shown, { interval: 1 }).toHaveLength(2)
    controller.abort()
    expect(await given).toEqual({ status: "cancelled" })
    const idOf = ({ url }: UserCode) => url.split("/login/")[1]
    const [first, second] = shown.map(idOf)
    const of = (id: string | undefined) =>
      backend.to("POST /poll").filter(({ body }) => body.login_id === id).length
    const before = [of(first), of(second)]
    await expect.poll(() => of(second)).toBeGreaterThan((before[1] ?? 0) + 5)
    expect(of(first)).toBeLessThanOrEqual((before[0] ?? 0) + 2)
    backend.finishLogin(shown[1]?.url ?? "")
    expect(await kept).toMatchObject({ status: "signed_in" })
  })

  it("another tab is signed in while this one hears pending: this one asks once more, and is too", async () => {
    const { start, shown, backend } = tv()
    const other = start()
    let isHeld = false
    const one = start(async (input, init) => {
      const reply = await backend.http(input, init)
      if (isHeld || !/poll$/.test(`${input}`)) return reply
      isHeld = true
      backend.finishLogin(shown[0]?.url ?? "")
      await other.restore()
      await expect.poll(() => other.session, { interval: 1 }).not.toBeNull()
      return reply
    })
    expect(await one.login()).toMatchObject({ status: "signed_in" })
    expect(one.session?.id).toBe(other.session?.id)
    expect(backend.rows.size).toBe(1)
  })

  it("two tabs ask for one login: whoever is second has the same session", async () => {
    const { start, shown, backend, told } = tv()
    const one = start()
    const other = start()
    const login = one.login()
    await expect.poll(() => shown).toHaveLength(1)
    await other.restore()
    backend.finishLogin(shown[0]?.url ?? "")
    const result = await login
    await expect.poll(() => other.session?.id).toBe(one.session?.id)
    expect(result).toMatchObject({ status: "signed_in", session: { id: other.session?.id } })
    expect(backend.rows.size).toBe(1)
    expect(told.filter((type) => type !== "signed_in")).toEqual([])
  })

  it.each([
    [undefined, 2000],
    ["soon", 2000],
    [0, 2000],
    [0.1, 1000],
    [5, 5000],
    [3600, 10_000],
  ])("an interval of %s seconds is taken as %i ms", async (poll_interval, expected) => {
    const { start, device, backend } = tv()
    const times: number[] = []
    const app = start(async (input, init) => {
      if (/poll$/.test(`${input}`)) times.push(device.clock.monotonic())
      const reply = await backend.http(input, init)
      if (!/start$/.test(`${input}`)) return reply
      return answer(200, { ...(await reply.json()), poll_interval })
    })
    const controller = new AbortController()
    const login = app.login({ signal: controller.signal })
    await expect.poll(() => times.length, { interval: 1 }).toBeGreaterThan(3)
    controller.abort()
    await login
    const [first = 0, second = 0, third = 0] = times
    expect([second - first, third - second]).toEqual([expected, expected])
  })

  it("openBrowser: false shows the code alone, no show opens the page alone, and a page that cannot open is no failure", async () => {
    const quiet = tv({ openBrowser: false })
    void codeOf(quiet.start().login())
    await expect.poll(() => quiet.shown).toHaveLength(1)
    expect(quiet.device.visited).toEqual([])

    const device = fakeDevice({ providers: [provider], flow: hosted({ delivery: "poll" }) })
    const login = device.start().login()
    await expect.poll(() => device.visited).toHaveLength(1)
    device.backend.finishLogin(device.visited[0] ?? "")
    expect(await login).toMatchObject({ status: "signed_in" })

    // Somebody has to be told.
    const neither = fakeDevice({
      providers: [provider],
      flow: hosted({ delivery: "poll", openBrowser: false }),
    })
    neither.answer = () => new Promise(() => {})
    void codeOf(neither.start().login())
    await expect.poll(() => neither.visited).toHaveLength(1)

    const broken = tv()
    const platform = broken.device.platform()
    const browser = { ...platform.browser, visit: () => Promise.reject(new Error("no browser")) }
    const app = broken.device.start({ platform: { ...platform, browser } })
    const over = app.login()
    await expect.poll(() => broken.shown).toHaveLength(1)
    broken.backend.finishLogin(broken.shown[0]?.url ?? "")
    expect(await over).toMatchObject({ status: "signed_in" })
  })
})
