import { describe, expect, it } from "vitest"
import { refusal } from "../src/testing/answers.js"
import { provider } from "../src/testing/backend.js"
import { codeOf, fakeDevice } from "../src/testing/device.js"

async function loggedIn(options = {}) {
  const device = fakeDevice({ providers: [provider], ...options })
  const app = device.start()
  await app.login()
  device.backend.requests.splice(0)
  return { device, app, token: await app.getSessionToken() }
}

const ok = () => new Response("yes")
const no = () => new Response("no", { status: 401 })

describe("fetch", () => {
  it("bears the session token to the backend's origin, whatever the form of the input", async () => {
    const { device, app, token } = await loggedIn()
    const inputs = [
      "/me",
      "https://api.example.com/me",
      new URL("https://API.example.com/me"),
      new Request("https://api.example.com/me"),
    ]
    for (const input of inputs) {
      device.backend.faults.push(ok())
      expect(
        await (await app.fetch(input, { headers: { "X-Own": "1", Authorization: "mine" } })).text(),
      ).toBe("yes")
    }
    expect(device.backend.requests.map(({ url }) => url)).toEqual(Array(4).fill("https://api.example.com/me"))
    expect(device.backend.requests.map(({ bearer }) => bearer)).toEqual(Array(4).fill(token))
    expect(new Headers(device.backend.requests[0]?.init.headers).get("x-own")).toBe("1")
  })

  it("keeps the headers of a request", async () => {
    const { device, app } = await loggedIn()
    device.backend.faults.push(ok())
    await app.fetch(new Request("https://api.example.com/me", { headers: { "X-Own": "2" } }))
    expect(new Headers(device.backend.requests[0]?.init.headers).get("x-own")).toBe("2")
  })

  it("goes to the origins that are named, too", async () => {
    const { device, app, token } = await loggedIn({ apiOrigins: ["https://other.example.com:8443/ignored"] })
    device.backend.faults.push(ok())
    await app.fetch("https://other.example.com:8443/x")
    expect(device.backend.requests[0]?.bearer).toBe(token)
  })

  it.each([
    "https://evil.example/",
    "https://api.example.com.evil.example/",
    "https://api.example.com@evil.example/",
    "https://api.example.com\\@evil.example/",
    "https://api.example.com:444/",
    "http://api.example.com/",
    "https:evil.example",
    "me",
    "",
    " /me",
    "data:text/plain,x",
  ])("F7 sends nothing to %j", async (input) => {
    const { device, app } = await loggedIn()
    expect(await codeOf(app.fetch(input))).toBe("origin_not_allowed")
    expect(device.backend.requests).toEqual([])
  })

  it.each(["//evil.example/x", "/\\evil.example/x", "/\t/evil.example/x"])(
    "a path stays a path: %j",
    async (input) => {
      const { device, app } = await loggedIn()
      device.backend.faults.push(ok())
      await app.fetch(input)
      expect(new URL(device.backend.requests[0]?.url ?? "").origin).toBe("https://api.example.com")
    },
  )

  it("renews the token after a 401, and tries once more", async () => {
    const { device, app, token } = await loggedIn()
    device.clock.advance(60_000)
    device.backend.faults.push(no(), () => undefined, no())
    const answer = await app.fetch("/me", { method: "POST", body: '{"a":1}' })
    expect(answer.status).toBe(401)
    const [first, , second, ...more] = device.backend.requests
    expect(first?.bearer).toBe(token)
    expect(second?.bearer).not.toBe(token)
    expect(second?.body).toEqual({ a: 1 })
    expect(more).toEqual([])
    expect(app.session).not.toBeNull()
  })

  it("does not send a stream twice", async () => {
    const { device, app } = await loggedIn()
    device.clock.advance(60_000)
    device.backend.faults.push(no())
    const body = new Blob(["x"]).stream()
    expect((await app.fetch("/me", { method: "POST", body, duplex: "half" } as RequestInit)).status).toBe(401)
    device.backend.faults.push(no())
    expect(
      (await app.fetch(new Request("https://api.example.com/me", { method: "POST", body: "x" }))).status,
    ).toBe(401)
    expect(device.backend.requests).toHaveLength(2)
  })

  it("nor a request whose body is gone, where the engine does not show it as a stream", async () => {
    const { device, app } = await loggedIn()
    device.clock.advance(60_000)
    device.backend.faults.push(no())
    const request = new Request("https://api.example.com/me", { method: "POST", body: "x" })
    Object.defineProperty(request, "body", { value: undefined })
    expect((await app.fetch(request)).status).toBe(401)
    expect(device.backend.requests).toHaveLength(1)
  })

  it("but a request without a body", async () => {
    const { device, app } = await loggedIn()
    device.clock.advance(60_000)
    device.backend.faults.push(no())
    expect((await app.fetch(new Request("https://api.example.com/sessions"))).status).toBe(200)
  })

  it("does without a token where nobody is logged in", async () => {
    const device = fakeDevice()
    device.backend.faults.push(no())
    expect((await device.start().fetch("/me")).status).toBe(401)
    expect(device.backend.requests).toHaveLength(1)
    expect(device.backend.requests[0]?.bearer).toBeNull()
  })

  it("throws `network` where no token is to be had", async () => {
    const { device, app } = await loggedIn()
    device.clock.advance(3_600_000)
    device.backend.settings.whileDown = true
    expect(await codeOf(app.fetch("/me"))).toBe("network")
    expect(device.backend.to("GET /me")).toEqual([])
  })
})

describe("sessions", () => {
  it("lists and ends them", async () => {
    const { device, app } = await loggedIn()
    const other = fakeDevice(
      { providers: [provider] },
      { backend: device.backend, clock: device.clock },
    ).start()
    await other.login()
    expect((await app.sessions.list()).map((session) => session.session_id)).toEqual([
      other.session?.id,
      app.session?.id,
    ])
    await app.sessions.revoke(other.session?.id ?? "")
    device.clock.advance(3_600_000)
    expect(await other.getSessionToken()).toBeNull()
    await app.sessions.revoke(app.session?.id ?? "")
    expect(app.session).toBeNull()
    expect(await codeOf(app.sessions.list())).toBe("invalid_token")
  })

  it("ends this device's own, and not the one of a login that was faster", async () => {
    const { device, app } = await loggedIn()
    const own = app.session?.id ?? ""
    let go = () => {}
    const held = new Promise<undefined>((resolve) => {
      go = () => resolve(undefined)
    })
    device.backend.faults.push(() => held)
    const ended = app.sessions.revoke(own)
    await app.login()
    const newer = app.session?.id
    go()
    await ended
    expect(app.session?.id).toBe(newer)
    await app.sessions.revoke(newer ?? "")
    expect((await device.start().restore()).session).toBeNull()
  })

  it("ends another device's without a look into this one's storage", async () => {
    const { device, app } = await loggedIn()
    const other = fakeDevice({ providers: [provider] }, { backend: device.backend, clock: device.clock })
    const owner = other.start()
    await owner.login()
    const id = owner.session?.id ?? ""
    device.storage.locked = true
    await app.sessions.revoke(id)
    expect(device.backend.rows.get(id)?.revoked).toBe("session_revoked")
    expect(app.session).not.toBeNull()
  })

  it("passes on what the backend refuses", async () => {
    const { device, app } = await loggedIn()
    device.backend.faults.push(refusal(404, "not_found"))
    expect(await codeOf(app.sessions.revoke("../x"))).toBe("not_found")
    expect(device.backend.requests[0]?.route).toBe("DELETE /sessions/..%2Fx")
  })

  it("renews the token after a 401, once", async () => {
    const { device, app } = await loggedIn()
    device.clock.advance(60_000)
    device.backend.faults.push(refusal(401, "invalid_token"))
    expect(await app.sessions.list()).toHaveLength(1)
    expect(device.backend.to("GET /sessions")).toHaveLength(2)
  })
})

describe("logout", () => {
  it("forgets the session here before the backend is asked", async () => {
    const { device, app, token } = await loggedIn()
    device.backend.faults.push(({ bearer }) => {
      expect(bearer).toBe(token)
      expect(JSON.parse(device.storage.text() ?? "null").session).toBeNull()
      expect(app.session).toBeNull()
      return undefined
    })
    await app.logout()
    expect([...device.backend.rows.values()][0]?.revoked).toBe("session_revoked")
    expect((await device.start().restore()).session).toBeNull()
    expect(device.visited).toEqual([])
  })

  it("is out without a network, too", async () => {
    const { device, app } = await loggedIn()
    device.backend.settings.whileDown = true
    await app.logout()
    expect(app.session).toBeNull()
    expect((await device.start().restore()).session).toBeNull()
  })

  it("shows the credentials of the line where the token has ended", async () => {
    const { device, app } = await loggedIn()
    device.clock.advance(3_600_000)
    await app.logout()
    expect(device.backend.requests).toMatchObject([{ route: "POST /logout", bearer: null }])
    expect([...device.backend.rows.values()][0]?.revoked).toBe("session_revoked")
  })

  it("and where the backend does not take it", async () => {
    const { device, app, token } = await loggedIn()
    device.backend.faults.push(refusal(401, "invalid_token"))
    await app.logout()
    expect(device.backend.requests.map(({ bearer }) => bearer)).toEqual([token, null])
    expect(device.backend.requests.map(({ body }) => "refresh_token" in body)).toEqual([true, true])
    expect([...device.backend.rows.values()][0]?.revoked).toBe("session_revoked")
  })

  it("everywhere ends the other devices, also after the token has ended", async () => {
    const { device, app } = await loggedIn()
    const other = fakeDevice(
      { providers: [provider] },
      { backend: device.backend, clock: device.clock },
    ).start()
    await other.login()
    device.clock.advance(3_600_000)
    await app.logout({ everywhere: true })
    expect([...device.backend.rows.values()].map(({ revoked }) => revoked)).toEqual(
      Array(2).fill("session_revoked"),
    )
  })

  it.each([
    ["https://id.example.com/end", "https://id.example.com/end"],
    ["logout/t1", "https://api.example.com/auth/logout/t1"],
  ])("opens the provider's logout page %s", async (logoutUrl, opened) => {
    const { device, app } = await loggedIn()
    device.backend.settings.logoutUrl = logoutUrl
    await app.logout({ provider: true, postLogoutRedirectUri: "https://app.example.com/" })
    expect(device.visited).toEqual([opened])
    expect(device.backend.requests[0]?.body).toMatchObject({
      post_logout_redirect_uri: "https://app.example.com/",
    })
  })

  it("that the browser cannot show is over all the same, and no error of its module, which quotes the URL, gets out", async () => {
    const { device } = await loggedIn()
    device.backend.settings.logoutUrl = "logout/t1"
    const platform = device.platform()
    platform.browser.visit = (url) => Promise.reject(new Error(`no app for ${url}`))
    const app = device.start({ platform })
    await app.restore()
    await app.logout({ provider: true })
    expect(app.session).toBeNull()
  })

  it("ends the session that the device holds, by its own token, where another process has replaced the one known here", async () => {
    const { device, app, token } = await loggedIn()
    const { changes: _, ...alone } = device.platform()
    await device.start({ platform: alone }).login()
    const before = device.backend.requests.length
    await app.logout()
    const own = expect.stringMatching(/^st\./)
    expect(device.backend.requests.slice(before)).toMatchObject([{ route: "POST /logout", bearer: own }])
    expect(device.backend.requests.at(-1)?.bearer).not.toBe(token)
    expect([...device.backend.rows.values()].map(({ revoked }) => revoked)).toEqual(
      Array(2).fill("session_revoked"),
    )
  })

  it("says so where the device cannot forget, but ends the session at the backend", async () => {
    const { device, app } = await loggedIn()
    device.storage.failing = true
    expect(await codeOf(app.logout())).toBe("storage_unavailable")
    expect([...device.backend.rows.values()][0]?.revoked).toBe("session_revoked")
  })

  it("without a session asks nobody", async () => {
    const device = fakeDevice()
    await device.start().logout({ everywhere: true, provider: true })
    expect(device.backend.requests).toEqual([])
  })
})

it("a server that is a path belongs to the page's origin, and is nothing before there is a page", async () => {
  const device = fakeDevice({ server: "/auth/", providers: [provider] })
  let origin: string | undefined
  const app = device.start({ platform: { ...device.platform(), origin: () => origin } })
  expect(await codeOf(app.login())).toBe("insecure_endpoint")
  origin = "https://app.example.com"
  await app.login()
  expect(device.backend.to("POST /exchange")[0]?.url).toBe("https://app.example.com/auth/exchange")
})

it("F7 no token, code or verifier is ever in a URL, and none follows a redirect", async () => {
  const { device, app } = await loggedIn()
  device.clock.advance(3_600_000)
  await app.getSessionToken()
  await app.logout()
  for (const { url, init } of device.backend.requests) {
    expect(new URL(url).search).toBe("")
    expect(init.redirect).toBe("error")
  }
})
