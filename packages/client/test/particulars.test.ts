import { describe, expect, it, vi } from "vitest"
import { answer, refusal } from "../src/testing/answers.js"
import { codeOf, fakeDevice } from "../src/testing/device.js"
import { type Device, HOUR, loggedIn } from "./support/logged-in.js"

const routes = ({ backend }: Device) => backend.requests.map(({ route }) => route)

describe("the record", () => {
  it("B3 knows the last ten logins that are over", async () => {
    const { device, app } = await loggedIn()
    for (let i = 0; i < 10; i++) await app.login()
    const states = device.opened.map((url) => new URL(url).searchParams.get("state"))
    expect(JSON.parse(device.storage.text() ?? "").used).toEqual(states.slice(1))
  })

  it("of another form is none", async () => {
    const { device } = await loggedIn()
    const text = device.storage.text()?.replace('"v":1', '"v":2') ?? null
    await device.storage.update(() => text)
    expect(await device.start().restore()).toEqual({ session: null })
  })

  it("is not written where nothing changes", async () => {
    const { device, app } = await loggedIn()
    const writes = device.storage.writes()
    await app.refresh()
    await app.restore()
    expect(device.storage.writes()).toBe(writes)
  })
})

describe("the app comes to the front", () => {
  it("after another tab has logged out, unheard: it knows of no session any more", async () => {
    const { device, app, events } = await loggedIn()
    const { changes: _, ...unheard } = device.platform()
    const other = device.start({ platform: unheard })
    await other.logout()
    expect(app.session).not.toBeNull()
    device.wake()
    await vi.waitFor(() => expect(app.session).toBeNull())
    expect(events).toMatchObject([{ type: "signed_out", reason: "elsewhere" }])
    expect(await app.getSessionToken()).toBeNull()
  })

  it("and nothing is due: nobody is asked", async () => {
    const { device } = await loggedIn()
    device.clock.advance(60_000)
    device.wake()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(device.backend.requests).toEqual([])
  })

  it("without a network: that shows when a token is asked for", async () => {
    const { device, app } = await loggedIn()
    device.clock.advance(HOUR)
    device.backend.faults.push(refusal(400, "invalid_request"))
    device.wake()
    await vi.waitFor(() => expect(routes(device)).toEqual(["POST /refresh"]))
    expect(await codeOf(app.getSessionToken())).toBe("stalled")
  })
})

describe("the other tabs", () => {
  it("are told of what is new, once, and of nothing else", async () => {
    const { device } = await loggedIn()
    const post = vi.fn()
    const app = device.start({ platform: { ...device.platform(), changes: { post, subscribe() {} } } })
    await app.restore()
    await app.refresh()
    expect(post).not.toHaveBeenCalled()
    device.clock.advance(HOUR)
    await app.refresh()
    expect(post).toHaveBeenCalledOnce()
  })
})

describe("fetch", () => {
  const no = () => new Response("no", { status: 401 })

  it.each([{ getReader() {} }, (async function* () {})()])(
    "does not send a stream twice: %o",
    async (body) => {
      const { device, app } = await loggedIn()
      device.clock.advance(60_000)
      device.backend.faults.push(no())
      const init = { method: "POST", body } as unknown as RequestInit
      expect((await app.fetch("/me", init)).status).toBe(401)
      expect(routes(device)).toEqual(["POST /me"])
    },
  )

  it("sends nothing again where the 401 turns out to be the end of the session", async () => {
    const { device, app } = await loggedIn()
    device.clock.advance(60_000)
    device.backend.faults.push(no(), refusal(401, "session_revoked"))
    expect((await app.fetch("/me")).status).toBe(401)
    expect(routes(device)).toEqual(["GET /me", "POST /refresh"])
    expect(app.session).toBeNull()
  })

  it.each([200, 403, 500])("renews nothing after a %i", async (status) => {
    const { device, app } = await loggedIn()
    device.clock.advance(60_000)
    device.backend.faults.push(new Response("", { status }))
    await app.fetch("/me")
    expect(routes(device)).toEqual(["GET /me"])
  })

  it("takes the call's headers rather than the request's", async () => {
    const { device, app } = await loggedIn()
    device.backend.faults.push(new Response(""))
    const request = new Request("https://api.example.com/me", { headers: { "X-Own": "request" } })
    await app.fetch(request, { headers: { "X-Own": "call" } })
    expect(new Headers(device.backend.requests[0]?.init.headers).get("x-own")).toBe("call")
  })
})

describe("particulars", () => {
  it("the app's own word for its platform counts; no cookie goes along unless the session is bound to one", async () => {
    const device = fakeDevice({ device: { platform: "kiosk" } })
    await device.start().login()
    const [exchange] = device.backend.to("POST /exchange")
    expect(exchange?.body.device).toEqual({ platform: "kiosk" })
    expect(exchange?.init.credentials).toBeUndefined()
  })

  it("a backend that lists no sessions lists none; what it refuses was a request", async () => {
    const { device, app } = await loggedIn()
    device.backend.faults.push(answer(200, {}))
    expect(await app.sessions.list()).toEqual([])
    device.backend.faults.push(refusal(403, "forbidden"))
    expect(await app.sessions.list().catch((e) => e)).toMatchObject({ code: "forbidden", phase: "request" })
    expect(await app.fetch("https://evil.example/").catch((e) => e)).toMatchObject({ phase: "request" })
  })

  it("a server may end in slashes", async () => {
    const device = fakeDevice({ server: "https://api.example.com/auth///" })
    await device.start().login()
    expect(device.backend.requests[0]?.url).toBe("https://api.example.com/auth/config")
  })

  it.each(["/\\evil.example", "//evil.example", "http://evil.example"])("A8 %s is no server", (server) => {
    const device = fakeDevice({ server })
    const platform = { ...device.platform(), origin: () => "https://app.example.com" }
    expect(() => device.start({ platform })).toThrow(
      expect.objectContaining({ code: "insecure_endpoint", phase: "configure" }),
    )
  })
})
