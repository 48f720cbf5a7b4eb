import { describe, expect, it, vi } from "vitest"
import type { PkceClientEvent } from "../src/session/events.js"
import { answer, refusal } from "../src/testing/answers.js"
import { ISSUER, provider } from "../src/testing/backend.js"
import { codeOf, fakeDevice, honest, REDIRECT } from "../src/testing/device.js"

type Device = ReturnType<typeof fakeDevice>
type App = ReturnType<Device["start"]>

const MINUTE = 60_000
const cancelled = async () => ({ type: "cancelled" }) as const
const exchanges = (device: Device) => device.backend.to("POST /exchange")

function watched(app: App) {
  const events: PkceClientEvent[] = []
  app.subscribe((event) => events.push(event))
  return events
}

/** A login whose browser was closed, and the callback that may still come. */
async function pending(device: Device, app: App, options = {}) {
  device.answer = cancelled
  await app.login(options)
  return honest(device.backend, device.opened.at(-1) ?? "")
}

/** A login whose code was taken while the backend was away. */
async function unfinished(device: Device, app: App) {
  const url = await pending(device, app)
  device.backend.settings.whileDown = true
  expect(await codeOf(app.handleRedirect(url))).toBe("network")
  device.backend.settings.whileDown = false
  return url
}

describe("which redirect URI", () => {
  const OTHER = "com.example.app://other/callback"
  const other = { ...provider, id: "other" }

  it("one for all, also where the provider is named", async () => {
    const device = fakeDevice()
    expect(await device.start().login({ provider: "main" })).toMatchObject({ status: "signed_in" })
  })

  it("the only one of a list, where none is named", async () => {
    const device = fakeDevice({ redirectUri: { main: REDIRECT } })
    expect(await device.start().login()).toMatchObject({ status: "signed_in" })
  })

  it("a callback at any of them is one, at the start and as a link", async () => {
    const device = fakeDevice({ redirectUri: { main: REDIRECT, other: OTHER }, providers: [provider, other] })
    device.callbackUrl = await pending(device, device.start(), { provider: "other" })
    const app = device.start()
    expect((await app.restore()).login).toMatchObject({ status: "signed_in", session: { provider: "other" } })
    device.link(await pending(device, app, { provider: "other" }))
    await vi.waitFor(() => expect(device.backend.rows.size).toBe(2))
  })

  it.each([
    ["one provider that sends no iss", [{ ...provider, iss_in_callback: false }]],
    ["two clients of one provider", [provider, other].map((one) => ({ ...one, iss_in_callback: false }))],
    ["two providers that send iss", [provider, { ...other, issuer: "https://other.example/" }]],
  ])("B5 may be one for %s", async (_, providers) => {
    const device = fakeDevice({ providers, provider: "main" })
    device.answer = cancelled
    expect(await device.start().login()).toEqual({ status: "cancelled" })
    expect(device.opened).toHaveLength(1)
  })
})

describe("what is asked", () => {
  it("needs no further parameters of the backend", async () => {
    const { authorization_params: _, ...bare } = provider
    const device = fakeDevice({ providers: [bare as typeof provider] })
    expect(await device.start().login()).toMatchObject({ status: "signed_in" })
  })

  it("of the backend's particulars: again where it cannot be reached, once where it refuses", async () => {
    const device = fakeDevice()
    device.backend.faults.push("down", refusal(503, "unavailable", true))
    expect(await device.start().login()).toMatchObject({ status: "signed_in" })
    expect(device.backend.to("GET /config")).toHaveLength(3)
    device.backend.faults.push(refusal(403, "origin_not_allowed"))
    const error = await device
      .start()
      .login()
      .catch((e) => e)
    expect(error).toMatchObject({ code: "origin_not_allowed", phase: "start" })
    expect(device.backend.to("GET /config")).toHaveLength(4)
  })

  it("names the cookie that a session is bound to, which goes along", async () => {
    const device = fakeDevice()
    await device.start({ platform: { ...device.platform(), bind: "cookie" } }).login()
    expect(exchanges(device)).toMatchObject([{ body: { bind: "cookie" }, init: { credentials: "include" } }])
  })

  it("is nothing where the app has ended it before it began", async () => {
    const device = fakeDevice()
    expect(await device.start().login({ signal: AbortSignal.abort() })).toEqual({ status: "cancelled" })
    expect(device.backend.requests).toEqual([])
    expect(device.storage.text()).toBeNull()
  })
})

describe("the browser", () => {
  it("is closed once a login has ended, however that was, and not by what comes later", async () => {
    const device = fakeDevice()
    const platform = device.platform()
    const close = vi.fn()
    const start: typeof platform.browser.start = async (...asked) => {
      const run = await platform.browser.start(...asked)
      return { ...run, close }
    }
    const app = device.start({ platform: { ...platform, browser: { start } } })
    await app.login()
    expect(close).toHaveBeenCalledTimes(1)
    const url = await pending(device, app)
    expect(close).toHaveBeenCalledTimes(2)
    await app.handleRedirect(url)
    expect(close).toHaveBeenCalledTimes(2)
  })
})

describe("what is told", () => {
  it("a failure that comes by a link is the waiting login's alone", async () => {
    const device = fakeDevice({ providers: [provider] })
    const app = device.start()
    const events = watched(app)
    device.answer = async (url) => {
      const state = new URL(url).searchParams.get("state")
      device.link(`${REDIRECT}?error=access_denied&state=${state}&iss=${encodeURIComponent(ISSUER)}`)
      return new Promise(() => {})
    }
    expect(await codeOf(app.login())).toBe("access_denied")
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(events).toEqual([])
  })

  it("of a login by the first call of a new process", async () => {
    const device = fakeDevice()
    const url = await pending(device, device.start())
    const app = device.start()
    const events = watched(app)
    await app.handleRedirect(url)
    expect(events.map(({ type }) => type)).toEqual(["signed_in"])
  })

  it("of a stranger's callback, and who is signed in all the while", async () => {
    const device = fakeDevice()
    const app = device.start()
    await app.login()
    const events = watched(app)
    await app.handleRedirect(`${REDIRECT}?code=evil&state=evil`)
    expect(events).toMatchObject([{ type: "callback_ignored", session: { id: app.session?.id } }])
  })

  it("B1 B3 of a callback that no login takes: why the newest does not, or that its own was taken", async () => {
    const device = fakeDevice({
      redirectUri: { main: REDIRECT, other: "com.example.app://b" },
      provider: "main",
    })
    device.backend.settings.providers = [provider, { ...provider, id: "other" }]
    const app = device.start()
    const { searchParams } = new URL(await pending(device, app))
    await app.login()
    await app.login({ provider: "other" })
    await app
      .handleRedirect(`${REDIRECT}?code=c&state=${searchParams.get("state")}&iss=${ISSUER}`)
      .catch(() => {})
    const events = watched(app)
    await app.handleRedirect("com.example.app://b?code=c&state=evil")
    expect(events).toMatchObject([{ type: "callback_ignored", error: { code: "state_mismatch" } }])
  })

  it("of one link once, however often the app has asked for links", async () => {
    const device = fakeDevice()
    const platform = device.platform()
    const links = vi.fn(platform.links)
    const app = device.start({ platform: { ...platform, links } })
    await app.restore()
    await app.restore()
    await app.login()
    expect(links).toHaveBeenCalledOnce()
    const events = watched(app)
    device.link(`${REDIRECT}?code=evil&state=evil`)
    await vi.waitFor(() => expect(events).not.toEqual([]))
    expect(events).toHaveLength(1)
  })

  it.each(["", "spent"])(
    "of a callback that restore has dealt with, nothing at the next one (code %j)",
    async (code) => {
      const device = fakeDevice()
      device.callbackUrl = (await pending(device, device.start())).replace("code=", `code=${code}`)
      const app = device.start()
      const { login } = await app.restore()
      expect(login?.status).toBe(code ? "failed" : "signed_in")
      const events = watched(app)
      expect(await app.restore()).toEqual({ session: app.session })
      expect(events).toEqual([])
    },
  )
})

describe("restore", () => {
  it("takes links also where no login was begun", async () => {
    const device = fakeDevice()
    const url = await pending(device, device.start())
    const restarted = fakeDevice({}, device)
    const app = restarted.start()
    await app.restore()
    restarted.link(url)
    await vi.waitFor(() => expect(app.session).not.toBeNull())
  })

  it("B10 clears the address in the very call", async () => {
    const device = fakeDevice()
    device.callbackUrl = await pending(device, device.start())
    const restored = device.start().restore()
    expect(device.cleared).toBe(1)
    await restored
  })

  it("goes on with no login whose callback has not come", async () => {
    const device = fakeDevice()
    await pending(device, device.start())
    expect(await device.start().restore()).toEqual({ session: null })
    expect(exchanges(device)).toEqual([])
  })

  it("goes on with the newest of those whose outcome is not known", async () => {
    const device = fakeDevice()
    await unfinished(device, device.start())
    const url = await unfinished(device, device.start())
    expect((await device.start().restore()).login).toMatchObject({ status: "signed_in" })
    expect(exchanges(device).at(-1)?.body.code).toBe(new URL(url).searchParams.get("code"))
  })

  it.each(["the same app", "the next start"])(
    "B9 has ten minutes from the taking of the code, in %s",
    async (which) => {
      const device = fakeDevice()
      let app = device.start()
      const url = await pending(device, app)
      device.clock.advance(9 * MINUTE)
      device.backend.settings.whileDown = true
      expect(await codeOf(app.handleRedirect(url))).toBe("network")
      device.backend.settings.whileDown = false
      device.clock.advance(9 * MINUTE)
      if (which === "the next start") app = device.start()
      expect((await app.restore()).login).toMatchObject({ status: "signed_in" })
    },
  )

  it("B9 and asks nobody after that", async () => {
    const device = fakeDevice()
    await unfinished(device, device.start())
    device.clock.advance(10 * MINUTE + 1)
    device.backend.requests.splice(0)
    expect(await device.start().restore()).toEqual({ session: null })
    expect(device.backend.requests).toEqual([])
  })
})

describe("a callback", () => {
  it.each([
    [10 * MINUTE, "nothing"],
    [10 * MINUTE + 1, "flow_expired"],
  ])("B9 after %i ms fails with %s", async (age, code) => {
    const device = fakeDevice()
    const app = device.start()
    const url = await pending(device, app)
    device.clock.advance(age)
    expect(await codeOf(app.handleRedirect(url))).toBe(code)
  })

  it("B3 with an error, behind the code that was taken, ends nothing", async () => {
    const device = fakeDevice()
    const app = device.start()
    const state = new URL(await unfinished(device, app)).searchParams.get("state")
    const error = `${REDIRECT}?error=access_denied&state=${state}&iss=${encodeURIComponent(ISSUER)}`
    await app.handleRedirect(error).catch(() => {})
    expect((await app.restore()).login).toMatchObject({ status: "signed_in" })
  })
})

describe("the exchange", () => {
  it.each(["the same app", "the next start"])(
    "C14 an earlier login, whose answers got lost, does not come back over a newer one in %s",
    async (which) => {
      const device = fakeDevice({ providers: [provider] })
      let app = device.start()
      device.backend.faults.push("lost", "lost", "lost", "lost")
      expect(await codeOf(app.login({ appState: "alice" }))).toBe("network")
      device.clock.advance(MINUTE)
      expect(await app.login({ appState: "bob" })).toMatchObject({ appState: "bob" })
      const bob = app.session?.id ?? ""
      if (which === "the next start") app = device.start()
      expect(await app.restore()).toMatchObject({ session: { id: bob }, login: undefined })
      expect(device.backend.rows.get(bob)?.revoked).toBeUndefined()
    },
  )

  it("takes no success for a grant that is none", async () => {
    const device = fakeDevice({ providers: [provider] })
    device.backend.faults.push(answer(200, { hello: "world" }))
    expect(await device.start().login()).toMatchObject({ status: "signed_in" })
    expect(exchanges(device)).toHaveLength(2)
  })

  it("B3 a grant that comes late, behind another tab's and its next step, changes nothing and ends nothing", async () => {
    const device = fakeDevice({ providers: [provider] })
    const [tab, late] = [device.start(), device.start()]
    const url = await pending(device, tab)
    let stored: string | null = null
    device.backend.faults.push(async ({ url: asked, init }) => {
      const reply = await device.backend.http(asked, init)
      await tab.handleRedirect(url)
      device.clock.jump(MINUTE)
      await tab.refresh()
      stored = device.storage.text()
      return reply
    })
    expect(await late.handleRedirect(url)).toMatchObject({ session: { id: tab.session?.id } })
    expect(stored).not.toBeNull()
    expect(device.storage.text()).toBe(stored)
    expect(device.backend.to("POST /logout")).toEqual([])
    expect(await late.getSessionToken()).toBe(await tab.getSessionToken())
  })

  it("begins the line when the code was taken, not when the user went to the browser", async () => {
    const device = fakeDevice()
    device.answer = async (url) => {
      device.clock.advance(MINUTE)
      return { type: "callback", url: honest(device.backend, url) }
    }
    const app = device.start()
    await app.login()
    await app.refresh()
    expect(device.backend.to("POST /refresh")).toEqual([])
  })

  it("C14 waits for nobody who ends the session before", async () => {
    const device = fakeDevice({ providers: [provider] })
    const app = device.start()
    await app.login()
    device.backend.faults.push(() => undefined, "hangs", "hangs")
    const start = device.clock.monotonic()
    expect(await app.login()).toMatchObject({ status: "signed_in" })
    expect(device.clock.monotonic()).toBe(start)
  })
})
