import { afterEach, describe, expect, it, vi } from "vitest"
import { popup } from "../src/platforms/web-popup.js"
import { provider } from "../src/testing/backend.js"
import { codeOf, fakeDevice, honest, REDIRECT } from "../src/testing/device.js"

const MINUTE = 60_000
const never = new Promise<never>(() => {})

afterEach(() => vi.unstubAllGlobals())

describe("P6 the state and the verifier after the redirect", () => {
  const leaving = () => {
    const device = fakeDevice({ providers: [provider] })
    device.answer = async () => ({ type: "left" })
    return device
  }

  it("are those of each tab's own login, whichever comes back first", async () => {
    const device = leaving()
    for (let tab = 0; tab < 3; tab++) await device.start().login({ appState: `tab ${tab}` })
    for (const tab of [1, 2, 0]) {
      device.callbackUrl = honest(device.backend, device.opened[tab] ?? "")
      const { login } = await device.start().restore()
      expect(login).toMatchObject({ status: "signed_in", appState: `tab ${tab}` })
    }
  })

  it("are gone where the browser has cleared its storage: told, nothing is sent, and the next login works", async () => {
    const device = leaving()
    await device.start().login()
    device.callbackUrl = honest(device.backend, device.opened[0] ?? "")
    await device.storage.update(() => null)
    const app = device.start()
    const events: unknown[] = []
    app.subscribe((event) => events.push(event))
    expect(await app.restore()).toEqual({ session: null })
    expect(events).toMatchObject([{ type: "callback_ignored", error: { code: "callback_unexpected" } }])
    expect(device.backend.requests).toEqual([])
    await app.login()
    device.callbackUrl = honest(device.backend, device.opened[1] ?? "")
    expect((await device.start().restore()).login).toMatchObject({ status: "signed_in" })
  })
})

describe("P21 no lock is held while the app is called", () => {
  it("a listener may wait for anything that the client does", async () => {
    const device = fakeDevice({ providers: [provider] })
    const app = device.start()
    const done: string[] = []
    app.subscribe(async ({ type }) => {
      if (type === "signed_in") {
        await app.restore()
        await app.getSessionToken({ minTtl: 10_000 })
        await app.refresh()
        done.push("refreshed")
      }
      if (type === "refreshed") {
        await app.logout()
        done.push("logged out")
      }
    })
    await app.login()
    device.clock.advance(60 * MINUTE)
    await app.getSessionToken()
    await expect.poll(() => [...done].sort()).toEqual(["logged out", "refreshed"])
    expect(app.session).toBeNull()
  })

  it("a tab that hangs in the middle of a refresh holds up no other", async () => {
    const device = fakeDevice({ providers: [provider] })
    const [app, other] = [device.start(), device.start()]
    await app.login()
    await other.restore()
    device.clock.advance(60 * MINUTE)
    // Its process stands still: it asks, and hears of nothing any more.
    const standing = { http: () => never, clock: { ...device.clock, after: () => () => {} } }
    const still = device.start({ platform: { ...device.platform(), ...standing } })
    void still.getSessionToken()
    await expect.poll(() => JSON.parse(device.storage.text() ?? "{}").session.pending).toBeDefined()
    const before = device.clock.monotonic()
    expect(await other.getSessionToken()).toMatch(/^st\./)
    expect(device.clock.monotonic()).toBe(before)
  })
})

describe("P22 a window opens in the user's gesture, or not at all", () => {
  it("login() starts the browser before it returns, although nothing has been read or asked yet", async () => {
    const device = fakeDevice()
    const platform = device.platform()
    const order: string[] = []
    const app = device.start({
      platform: {
        ...platform,
        browser: {
          ...platform.browser,
          start(...rest) {
            order.push("browser")
            return platform.browser.start(...rest)
          },
        },
      },
    })
    const login = app.login()
    order.push("back in the handler")
    expect(order).toEqual(["browser", "back in the handler"])
    expect(await login).toMatchObject({ status: "signed_in" })
  })

  it("a popup is opened empty at once, and goes to the provider when its address is known", async () => {
    const device = fakeDevice({ providers: [provider] })
    const visited: string[] = []
    const opened = vi.fn(() => ({
      closed: false,
      close() {},
      location: { replace: (url: string) => visited.push(url) },
    }))
    vi.stubGlobal("window", { open: opened })
    const platform = device.platform()
    const app = device.start({ platform: { ...platform, browser: popup("test", platform.browser).browser } })
    const controller = new AbortController()
    const login = app.login({ signal: controller.signal })
    expect(opened).toHaveBeenCalledWith("", "_blank", expect.stringContaining("popup"))
    expect(visited).toEqual([])
    await expect.poll(() => visited).toHaveLength(1)
    controller.abort()
    expect(await login).toEqual({ status: "cancelled" })
  })

  it("where the browser blocks it, the page itself goes there", async () => {
    const device = fakeDevice({ providers: [provider] })
    vi.stubGlobal("window", { open: () => null })
    const platform = device.platform()
    const app = device.start({ platform: { ...platform, browser: popup("test", platform.browser).browser } })
    expect(await app.login()).toMatchObject({ status: "signed_in" })
    expect(device.opened[0]).toContain(encodeURIComponent(REDIRECT))
  })
})

it("P5: a button that is pressed twice, and an effect that runs twice, make one session each time at the most", async () => {
  const device = fakeDevice({ providers: [provider] })
  const app = device.start()
  await Promise.all([app.login(), app.login()])
  const live = [...device.backend.rows.values()].filter(({ revoked }) => !revoked)
  expect(live).toHaveLength(1)
  expect(await codeOf(Promise.all([app.restore(), app.restore()]))).toBe("nothing")
  expect(device.backend.to("POST /exchange")).toHaveLength(2)
})
