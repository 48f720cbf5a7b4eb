import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { web } from "./web.js"

const assign = vi.fn()
const replaceState = vi.fn()
const addEventListener = vi.fn()
const request = vi.fn(async (_name: string, _options: object, held: () => Promise<void>) => held())

beforeEach(() => {
  const location = {
    origin: "https://app.example.com",
    href: "https://app.example.com/callback?code=1",
    pathname: "/callback",
    assign,
  }
  vi.stubGlobal("location", location)
  vi.stubGlobal("history", { state: { own: 1 }, replaceState })
  vi.stubGlobal("addEventListener", addEventListener)
  vi.stubGlobal("navigator", { locks: { request } })
})
afterEach(() => {
  vi.unstubAllGlobals()
  vi.clearAllMocks()
})

describe("the page", () => {
  it("is left for the login, and for the provider's logout page", async () => {
    const { browser, name } = web()
    const run = await browser.start("https://app.example.com/callback", {} as never)
    expect(await run.open("https://id.example.com/a", () => true)).toEqual({ type: "left" })
    await browser.visit?.("https://id.example.com/end")
    expect(assign.mock.calls).toEqual([["https://id.example.com/a"], ["https://id.example.com/end"]])
    expect(name).toBe("web")
  })

  it("B10 keeps its own state and path, and no query", () => {
    const { callbackUrl, clearCallbackUrl, origin } = web()
    expect(callbackUrl?.()).toBe("https://app.example.com/callback?code=1")
    expect(origin?.()).toBe("https://app.example.com")
    clearCallbackUrl?.()
    expect(replaceState).toHaveBeenCalledExactlyOnceWith({ own: 1 }, "", "/callback")
  })

  it("keeps several clients apart: by their stores, and by the windows of their logins", async () => {
    const open = vi.fn(() => ({}))
    vi.stubGlobal("indexedDB", { open })
    const popup = vi.fn()
    for (const options of [{ popup }, { popup, name: "shop" }]) void web(options).storage.read()
    expect(open.mock.calls).toEqual([
      ["pkce", 1],
      ["shop", 1],
    ])
    expect(popup.mock.calls.map(([name]) => name)).toEqual(["pkce:callback", "shop:callback"])
  })

  it("wakes with the network, and when it is seen again", () => {
    const listener = vi.fn()
    web().wakes?.(listener)
    const on = Object.fromEntries(addEventListener.mock.calls)
    expect(Object.keys(on)).toEqual(["online", "visibilitychange"])
    on.online()
    expect(listener).toHaveBeenCalledTimes(1)
    vi.stubGlobal("document", { hidden: true })
    on.visibilitychange()
    expect(listener).toHaveBeenCalledTimes(1)
    vi.stubGlobal("document", { hidden: false })
    on.visibilitychange()
    expect(listener).toHaveBeenCalledTimes(2)
  })

  it("has nothing of a page on a server that renders it", async () => {
    vi.unstubAllGlobals()
    const platform = web({ bind: "cookie" })
    expect(platform.origin?.()).toBeUndefined()
    expect(await platform.callbackUrl?.()).toBeUndefined()
    for (const port of ["changes", "lock", "wakes"]) expect(platform).not.toHaveProperty(port)
    expect(platform.bind).toBe("cookie")
  })
})

describe("the tabs", () => {
  it.each([
    [undefined, "pkce"],
    ["shop", "shop"],
  ])("of the client %s hear of each other's changes, and of nobody else's", async (name, channel) => {
    const [one, other] = [web(name ? { name } : {}), web(name ? { name } : {})]
    const [told, strange] = [vi.fn(), vi.fn()]
    other.changes?.subscribe(told)
    web({ name: "another" }).changes?.subscribe(strange)
    const watched = new BroadcastChannel(`${channel}:changes`)
    const seen = new Promise((resolve) => {
      watched.onmessage = resolve
    })
    one.changes?.post()
    await seen
    await vi.waitFor(() => expect(told).toHaveBeenCalledOnce())
    expect(strange).not.toHaveBeenCalled()
    watched.close()
  })

  it("take turns by name, three seconds' wait at most", async () => {
    const timeout = vi.spyOn(AbortSignal, "timeout")
    const end = await web({ name: "shop" }).lock?.()
    expect(request).toHaveBeenCalledExactlyOnceWith(
      "shop:turn",
      { signal: expect.any(AbortSignal) },
      expect.any(Function),
    )
    expect(timeout).toHaveBeenCalledWith(3000)
    const held = request.mock.results[0]?.value
    end?.()
    await held
    request.mockRejectedValueOnce(new DOMException("", "TimeoutError"))
    await expect(web().lock?.()).rejects.toThrow(DOMException)
  })
})
