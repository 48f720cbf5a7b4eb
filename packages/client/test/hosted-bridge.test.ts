import { afterEach, describe, expect, it, vi } from "vitest"
import { hosted, messageWindow, type WebViewGuard, webView } from "../src/hosted.js"
import { refusal } from "../src/testing/answers.js"
import { provider } from "../src/testing/backend.js"
import { codeOf, fakeDevice } from "../src/testing/device.js"

const PAGE = "https://api.example.com/auth/callback"

/** An app with an embedded view; `guard` is there once it is shown. */
function viewer() {
  const views: { url: string; guard: WebViewGuard; hidden: number }[] = []
  const bridge = webView({
    open(url, guard) {
      const view = { url, guard, hidden: 0 }
      views.push(view)
      return () => void view.hidden++
    },
  })
  // No redirect URI: none is needed.
  const device = fakeDevice({ providers: [provider], flow: hosted({ bridge }), redirectUri: {} })
  return {
    device,
    backend: device.backend,
    views,
    async shown() {
      await expect.poll(() => views.length, { interval: 1 }).toBeGreaterThan(0)
      return views[views.length - 1] as (typeof views)[number]
    },
  }
}

describe("J3 an embedded view", () => {
  it.each(["text", "object"])(
    "the message of the backend's page, as %s, is the end of the login, once",
    async (form) => {
      const { device, backend, shown } = viewer()
      const login = device.start().login()
      const { url, guard } = await shown()
      const { message } = backend.finishLogin(url)
      for (let i = 0; i < 2; i++) guard.message(form === "text" ? JSON.stringify(message) : message, PAGE)
      expect(await login).toMatchObject({ status: "signed_in" })
      guard.message(message, PAGE)
      guard.closed()
      expect(guard.navigate("https://evil.example/")).toBe(false)
      expect(backend.to("POST /redeem")).toHaveLength(1)
      expect(backend.to("POST /start")[0]?.body).toMatchObject({ delivery: "webview" })
      expect(backend.to("POST /start")[0]?.body).not.toHaveProperty("redirect_uri")
      expect((await shown()).hidden).toBe(1)
    },
  )

  it("J2: a right message of a page that is not the backend's is not heard", async () => {
    const { device, backend, shown } = viewer()
    const login = device.start().login()
    const { url, guard } = await shown()
    const { message } = backend.finishLogin(url)
    for (const page of [
      "https://evil.example/",
      "https://api.example.com.evil.example/",
      "about:blank",
      "null",
      "",
    ])
      guard.message(message, page)
    guard.message(message, "http://api.example.com/auth/callback")
    expect((await shown()).hidden).toBe(0)
    guard.message(message, PAGE)
    expect(await login).toMatchObject({ status: "signed_in" })
  })

  it("what is no message of ours, or of another login, changes nothing", async () => {
    const { device, backend, shown } = viewer()
    const login = device.start().login()
    const { url, guard } = await shown()
    const { message } = backend.finishLogin(url)
    const { state: _, ...stateless } = message
    const strange: unknown[] = [
      undefined,
      null,
      1,
      "",
      "{",
      "null",
      '"pkce"',
      [],
      () => {},
      { ...message, type: "other" },
      { ...message, type: ["pkce"] },
      { handoff: message.handoff, state: message.state, iss: message.iss },
      { ...message, state: "a".repeat(message.state.length) },
      { ...message, state: [message.state] },
      stateless,
      `${JSON.stringify(message)}}`,
      JSON.stringify([message]),
    ]
    for (const one of strange) guard.message(one, PAGE)
    expect((await shown()).hidden).toBe(0)
    guard.message(message, PAGE)
    expect(await login).toMatchObject({ status: "signed_in" })
  })

  it.each([
    [{ error: "access_denied", handoff: undefined }, "access_denied"],
    [{ error: "server_error", handoff: undefined }, "authorization_error"],
    [{ iss: "https://api.example.com/other" }, "issuer_mismatch"],
    [{ iss: undefined }, "issuer_mismatch"],
    [{ handoff: undefined }, "callback_invalid"],
    [{ handoff: ["x"] }, "callback_invalid"],
    [{ handoff: "a&iss=b&handoff=c" }, "login_failed"],
  ])("%j ends the login with %s", async (members, code) => {
    const { device, backend, shown } = viewer()
    const login = codeOf(device.start().login())
    const { url, guard } = await shown()
    guard.message({ ...backend.finishLogin(url).message, ...members }, PAGE)
    expect(await login).toBe(code)
    expect((await shown()).hidden).toBe(1)
  })

  it("A6: the view may go to the backend's pages; the provider's page in it ends the login", async () => {
    const { device, backend, shown } = viewer()
    const login = codeOf(device.start().login())
    const { url, guard } = await shown()
    expect([url, PAGE, "https://api.example.com:443/x"].map((page) => guard.navigate(page))).toEqual([
      true,
      true,
      true,
    ])
    expect(guard.navigate("https://id.example.com/authorize?client_id=app")).toBe(false)
    expect(await login).toBe("embedded_user_agent")
    guard.message(backend.finishLogin(url).message, PAGE)
    expect(backend.to("POST /redeem")).toEqual([])
    expect((await shown()).hidden).toBe(1)
  })

  it.each(["http://api.example.com/auth", "com.example.app://x", "javascript:alert(1)", "about:blank"])(
    "does not go to %s either",
    async (page) => {
      const { device, shown } = viewer()
      const login = codeOf(device.start().login())
      expect((await shown()).guard.navigate(page)).toBe(false)
      expect(await login).toBe("embedded_user_agent")
    },
  )

  it("closed by the user is cancelled, by the signal too, and the view is hidden once", async () => {
    const { device, shown, views } = viewer()
    const app = device.start()
    const login = app.login()
    const first = await shown()
    first.guard.closed()
    expect(await login).toEqual({ status: "cancelled" })

    const controller = new AbortController()
    const next = app.login({ signal: controller.signal })
    await expect.poll(() => views.length).toBe(2)
    controller.abort()
    expect(await next).toEqual({ status: "cancelled" })
    expect(views.map(({ hidden }) => hidden)).toEqual([1, 1])
  })

  it("a view that ends while it is being opened is hidden too", async () => {
    let hidden = 0
    const bridge = webView({
      open(_, guard) {
        guard.closed()
        return () => void hidden++
      },
    })
    const device = fakeDevice({ providers: [provider], flow: hosted({ bridge }) })
    expect(await device.start().login()).toEqual({ status: "cancelled" })
    expect(hidden).toBe(1)
  })

  it("a view that cannot be opened is a failed login, and what its module says stays out of it", async () => {
    const bridge = webView({
      open() {
        throw new Error("secret")
      },
    })
    const device = fakeDevice({ providers: [provider], flow: hosted({ bridge }) })
    const error = await device
      .start()
      .login()
      .catch((thrown) => thrown)
    expect(error).toMatchObject({ code: "authorization_error", phase: "start" })
    expect(String(error.stack)).not.toContain("secret")
  })
})

describe("J2 a window or frame that posts to this page", () => {
  afterEach(() => vi.unstubAllGlobals())

  /** This page at its origin, and the windows that it opens. */
  function page() {
    const listeners = new Set<(event: unknown) => void>()
    const opened: {
      closed: boolean
      visited: string[]
      location: { replace(url: string): void }
      close(): void
    }[] = []
    const document = { focus: true, hasFocus: () => document.focus }
    vi.stubGlobal("location", { origin: "https://app.example.com" })
    vi.stubGlobal("document", document)
    vi.stubGlobal("window", {
      addEventListener: (type: string, listener: () => void) => type === "message" && listeners.add(listener),
      removeEventListener: (_: string, listener: () => void) => listeners.delete(listener),
    })
    const bridge = messageWindow(() => {
      const target = {
        closed: false,
        visited: [] as string[],
        location: { replace: (url: string) => void target.visited.push(url) },
        close() {
          target.closed = true
        },
      }
      opened.push(target)
      return target as unknown as Window
    })
    const device = fakeDevice({ providers: [provider], flow: hosted({ bridge }) })
    const post = (data: unknown, origin: string, source: unknown) => {
      for (const listener of [...listeners]) listener({ data, origin, source })
    }
    return { device, backend: device.backend, opened, listeners, post, document }
  }
  const there = (opened: { visited: string[] }[]) =>
    expect.poll(() => opened[0]?.visited.length, { interval: 1 }).toBe(1)

  it("P22: is opened in the gesture, empty, and hears the backend's page in that very window alone", async () => {
    const { device, backend, opened, listeners, post } = page()
    const login = device.start().login()
    expect(opened).toHaveLength(1)
    expect(opened[0]?.visited).toEqual([])
    await there(opened)
    const target = opened[0]
    expect(backend.to("POST /start")[0]?.body).toMatchObject({
      delivery: "webview",
      redirect_uri: "https://app.example.com",
    })
    const { message } = backend.finishLogin(target?.visited[0] ?? "")
    const own = "https://api.example.com"
    post(message, "https://evil.example", target)
    post(message, own, {})
    post(message, own, null)
    post({ ...message, type: "other" }, own, target)
    // It still listens, and the window is open.
    expect([listeners.size, target?.closed]).toEqual([1, false])
    post(message, own, target)
    expect(await login).toMatchObject({ status: "signed_in" })
    expect(target?.closed).toBe(true)
    expect(listeners.size).toBe(0)
  })

  it("a blocked window is a failed login, before anything is sent", async () => {
    const device = fakeDevice({ providers: [provider], flow: hosted({ bridge: messageWindow(() => null) }) })
    expect(await codeOf(device.start().login())).toBe("authorization_error")
    expect(device.backend.requests).toEqual([])
  })

  it("where the start fails, the window that was opened is closed", async () => {
    const { device, backend, opened } = page()
    backend.faults.push(refusal(400, "redirect_uri_not_allowed"))
    expect(await codeOf(device.start().login())).toBe("redirect_uri_not_allowed")
    expect(opened.map(({ closed, visited }) => [closed, visited])).toEqual([[true, []]])
  })

  it("closed by the user, who is back on this page, is cancelled; cut off by the provider's policy is not", async () => {
    const { device, backend, opened, listeners, post, document } = page()
    document.focus = false
    const login = device.start().login()
    await there(opened)
    const [target] = opened
    if (target) target.closed = true
    await new Promise((resolve) => setTimeout(resolve, 1100))
    // Still heard.
    expect(listeners.size).toBe(1)
    document.focus = true
    expect(await login).toEqual({ status: "cancelled" })
    expect(listeners.size).toBe(0)
    post(backend.finishLogin(target?.visited[0] ?? "").message, "https://api.example.com", target)
    expect(backend.to("POST /redeem")).toEqual([])
  })

  it("the signal closes it, and nobody looks for it any more", async () => {
    const { device, opened, listeners, document } = page()
    const look = vi.spyOn(document, "hasFocus")
    const controller = new AbortController()
    const login = device.start().login({ signal: controller.signal })
    await there(opened)
    controller.abort()
    expect(await login).toEqual({ status: "cancelled" })
    expect([opened[0]?.closed, listeners.size]).toEqual([true, 0])
    await new Promise((resolve) => setTimeout(resolve, 700))
    expect(look).not.toHaveBeenCalled()
  })
})
