import { beforeEach, describe, expect, it } from "vitest"
import { codeOf, honest } from "../src/testing/device.js"
import { type Phone, phone } from "./support/phone.js"

const MINUTE = 60_000
const never = new Promise<never>(() => {})
/** Whatever follows from it has happened. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 20))
const PHONES = ["expo", "reactNative", "capacitor"] as const

describe.each(PHONES)("on a phone (%s)", (kind) => {
  let device: Phone
  beforeEach(() => {
    device = phone()
  })
  const start = (more = {}) => device.start(() => device.platforms[kind](), more)
  const exchanges = () => device.backend.to("POST /exchange").length

  it("P3: leaving the browser for the code of a second factor, for minutes and by way of the app, ends no login", async () => {
    const { app, events } = start()
    device.state.behaviour = () => never
    const login = app.login()
    await expect.poll(() => device.opened.length).toBe(1)
    for (let look = 0; look < 3; look++) {
      device.clock.advance(MINUTE)
      device.toFront()
      await settle()
    }
    device.link(device.callbackFor(device.opened[0] ?? ""))
    expect(await login).toMatchObject({ status: "signed_in" })
    expect(events.map(({ type }) => type)).toEqual(["signed_in"])
    expect(exchanges()).toBe(1)
  })

  it("P3: a system that closes the browser meanwhile has cancelled the login, and another can begin at once", async () => {
    const { app } = start()
    const { behaviour } = device.state
    device.state.behaviour = async () => ({ type: "dismiss" })
    expect(await app.login()).toEqual({ status: "cancelled" })
    device.state.behaviour = behaviour
    expect(await app.login()).toMatchObject({ status: "signed_in" })
  })

  it("P15: a claimed https link counts, however late the user presses the button that the browser wants first", async () => {
    const redirectUri = "https://app.example.com/callback"
    const { app, events } = start({ redirectUri })
    device.state.behaviour = () => never
    const login = app.login()
    await expect.poll(() => device.opened.length).toBe(1)
    const callback = device.callbackFor(device.opened[0] ?? "")
    expect(callback.startsWith(`${redirectUri}?`)).toBe(true)
    device.clock.advance(8 * MINUTE)
    device.link(callback.replace("app.example.com", "evil.example.com"))
    device.link(callback.replace("/callback?", "/callback/more?"))
    device.link(callback)
    expect(await login).toMatchObject({ status: "signed_in" })
    expect(events.map(({ type }) => type)).toEqual(["signed_in"])
    expect(exchanges()).toBe(1)
  })

  it("P17: who refuses the system's question, or turns away from it, has cancelled; the session that was there stays", async () => {
    const { app } = start()
    await app.login()
    const id = app.session?.id
    device.state.behaviour = async () => ({ type: kind === "capacitor" ? "dismiss" : "cancel" })
    expect(await app.login()).toEqual({ status: "cancelled" })
    expect(app.session?.id).toBe(id)
    expect(await app.getSessionToken()).toMatch(/^st\./)
  })
})

describe("what a phone's browser is told", () => {
  const asked: unknown[] = []
  const answer = async (url: string, redirectUri: unknown, options: unknown) => {
    asked.push(options)
    return { type: "success", url: honest(device.backend, url), redirectUri }
  }
  let device: Phone
  beforeEach(() => {
    device = phone()
    asked.splice(0)
  })
  const WebBrowser = {
    openAuthSessionAsync: answer,
    dismissAuthSession() {},
    openBrowserAsync: async () => {},
  }
  const InAppBrowser = { isAvailable: async () => true, openAuth: answer, closeAuth() {} }

  it.each([true, false, undefined])(
    "P17: ephemeral %s, which spares the user iOS's question, is passed on; by default there is single sign-on",
    async (ephemeral) => {
      const options = ephemeral === undefined ? {} : { ephemeral }
      await device.start(() => device.platforms.expo({ WebBrowser }, options)).app.login()
      await device.start(() => device.platforms.reactNative({ InAppBrowser }, options)).app.login()
      expect(asked).toEqual([
        { preferEphemeralSession: ephemeral ?? false },
        { ephemeralWebSession: ephemeral ?? false, showInRecents: true },
      ])
    },
  )

  it("P4: a module that answers with an older link ends no login: the callback comes after it", async () => {
    const { app } = device.start(() => device.platforms.reactNative())
    device.state.behaviour = async () => {
      setTimeout(() => device.link(device.callbackFor(device.opened.at(-1) ?? "")), 5)
      return { type: "success", url: older }
    }
    let older = "com.example.app://auth/callback?code=c&state=s"
    expect(await app.login()).toMatchObject({ status: "signed_in" })
    older = device.callbackFor(device.opened[0] ?? "")
    expect(await app.login()).toMatchObject({ status: "signed_in" })
    // Where none comes, it is what went wrong.
    device.state.behaviour = async () => ({ type: "success", url: older })
    expect(await codeOf(app.login())).toBe("callback_used")
  })

  it("P3: to stay among the recent apps, from where the user finds the way back to it", async () => {
    await device.start(() => device.platforms.reactNative({ InAppBrowser })).app.login()
    expect(asked).toMatchObject([{ showInRecents: true }])
  })

  it("P3: without such a module the browser app shows the page; coming by is a late success, not a lost login", async () => {
    const isAvailable = async () => false
    const { app, events } = device.start(() =>
      device.platforms.reactNative({ InAppBrowser: { ...InAppBrowser, isAvailable } }),
    )
    const login = app.login()
    await expect.poll(() => device.opened.length).toBe(1)
    device.toFront()
    expect(await login).toEqual({ status: "cancelled" })
    device.clock.advance(3 * MINUTE)
    device.link(device.callbackFor(device.opened[0] ?? ""))
    await expect.poll(() => events.map(({ type }) => type)).toEqual(["signed_in"])
    expect(device.backend.to("POST /exchange")).toHaveLength(1)
  })
})
