import { createServer } from "node:http"
import { connect, createServer as createHttp2Server } from "node:http2"
import type { AddressInfo } from "node:net"
import fastify from "fastify"
import { Hono } from "hono"
import Koa from "koa"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as fastifyMount from "../src/mounts/fastify.js"
import * as honoMount from "../src/mounts/hono.js"
import * as koaMount from "../src/mounts/koa.js"
import * as nextMount from "../src/mounts/next.js"
import * as nodeMount from "../src/mounts/node.js"
import { mounts, type Running, running } from "./support/mounts.js"
import { type Fixture, startServer, wire } from "./support/server.js"

const post = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  })

describe.each(Object.entries(mounts))("%s", (name, start) => {
  let fixture: Fixture
  let app: Running
  let runs = 0
  beforeAll(async () => {
    fixture = await startServer({ allowedOrigins: ["https://app.example.com"] })
    app = await start(fixture.auth, () => {
      runs++
    })
  })
  afterAll(async () => {
    await app.close()
    await fixture.close()
  })

  it("exchanges, lets the session through, lists, logs out", async () => {
    const login = fixture.login()
    const exchanged = await post(`${app.origin}/auth/exchange`, wire(login))
    expect(exchanged.status).toBe(200)
    expect(exchanged.headers.get("pkce-protocol")).toBe("1")
    expect(exchanged.headers.get("cache-control")).toBe("no-store")
    expect(exchanged.headers.get("content-type")).toMatch(/^application\/json/)
    const grant = await exchanged.json()
    const headers = { authorization: `Bearer ${grant.session_token}` }

    const me = await fetch(`${app.origin}/me`, { headers })
    expect(await me.json()).toEqual({ sub: grant.user_info.sub })
    expect(runs).toBe(1)
    const list = await (await fetch(`${app.origin}/auth/sessions`, { headers })).json()
    expect(list.sessions).toMatchObject([{ session_id: grant.session_id, current: true }])
    const logout = await fetch(`${app.origin}/auth/logout`, { method: "POST", headers })
    expect(logout.status).toBe(200)
    const { logout_url } = await logout.json()
    const ticket = await fetch(new URL(logout_url, logout.url), { redirect: "manual" })
    expect(ticket.status).toBe(303)
    expect(ticket.headers.get("location")).toContain("id_token_hint=")
  })

  it("F17: the guard stops the handler, in the one error shape", async () => {
    const before = runs
    for (const headers of [{}, { authorization: "Bearer nonsense" }, { authorization: "Basic eDp5" }]) {
      const answer = await fetch(`${app.origin}/me`, { headers })
      expect(answer.status).toBe(401)
      expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/)
      expect(answer.headers.get("pkce-protocol")).toBe("1")
      expect(await answer.json()).toMatchObject({ error: "invalid_token", retryable: false })
    }
    const login = fixture.login()
    const grant = await (await post(`${app.origin}/auth/exchange`, wire(login))).json()
    await fixture.auth.sessions.revoke(grant.session_id)
    const revoked = await fetch(`${app.origin}/me`, {
      headers: { authorization: `Bearer ${grant.session_token}` },
    })
    expect(revoked.status).toBe(401)
    expect(runs).toBe(before)
  })

  it("GR6: a store that is down is 503 at the guard, and the handler does not run", async () => {
    const before = runs
    const grant = await (await post(`${app.origin}/auth/exchange`, wire(fixture.login()))).json()
    const { find } = fixture.options.store ?? {}
    if (!find || !fixture.options.store) throw new Error("no store")
    fixture.options.store.find = () => Promise.reject(new Error("down"))
    try {
      const answer = await fetch(`${app.origin}/me`, {
        headers: { authorization: `Bearer ${grant.session_token}` },
      })
      expect(answer.status).toBe(503)
      expect(answer.headers.get("retry-after")).toBe("1")
      expect(await answer.json()).toMatchObject({ error: "unavailable", retryable: true })
    } finally {
      fixture.options.store.find = find
    }
    expect(runs).toBe(before)
  })

  it("C9: refuses a body over 8 KiB", async () => {
    const answer = await post(`${app.origin}/auth/exchange`, { code: "x".repeat(9000) })
    expect(answer.status).toBe(413)
    expect(await answer.json()).toMatchObject({ error: "payload_too_large" })
  })

  it("C11: answers a preflight of a known origin", async () => {
    const answer = await fetch(`${app.origin}/auth/refresh`, {
      method: "OPTIONS",
      headers: { origin: "https://app.example.com", "access-control-request-method": "POST" },
    })
    expect(answer.status).toBe(204)
    expect(answer.headers.get("access-control-allow-origin")).toBe("https://app.example.com")
  })

  it("answers 404 and 405 itself", async () => {
    expect((await fetch(`${app.origin}/auth/nothing`)).status).toBe(404)
    if (name === "next") return
    const put = await fetch(`${app.origin}/auth/exchange`, { method: "PUT" })
    expect(put.status).toBe(405)
    expect(put.headers.get("allow")).toBe("POST, OPTIONS")
  })

  it(`C9: a name that is twice in the body is ${name.includes("json()") ? "lost to the parser, and told once" : "refused"}`, async () => {
    const body = JSON.stringify(wire(fixture.login())).replace("{", '{"code":"another",')
    const answer = await post(`${app.origin}/auth/exchange`, body)
    const parser = name.includes("json()")
    expect(answer.status).toBe(parser ? 200 : 400)
    expect(fixture.warnings.filter((text) => text.includes("body parser"))).toHaveLength(parser ? 1 : 0)
  })
})

describe("node", () => {
  it("C13: counts by the address that the team reads from its proxy", async () => {
    const fixture = await startServer({ rateLimit: { perMinute: 1, burst: 1 } })
    const clientAddress = ({ headers }: { headers: { [name: string]: unknown } }) => {
      const address = String(headers["x-real-address"])
      if (address === "throw") throw new Error("no address")
      return address
    }
    const app = await running(createServer(nodeMount.nodeAuth(fixture.auth, { clientAddress })))
    const guess = async (address: string) => {
      const body = { ...wire(fixture.login()), code: "guessed" }
      return (await post(`${app.origin}/auth/exchange`, body, { "x-real-address": address })).status
    }
    expect([await guess("192.0.2.1"), await guess("192.0.2.1"), await guess("192.0.2.2")]).toEqual([
      400, 429, 400,
    ])
    // Where the function throws the process lives on, and counts by the connection.
    expect([await guess("throw"), await guess("throw")]).toEqual([400, 429])
    await app.close()
    await fixture.close()
  })
})

describe("fastify", () => {
  it("leaves the parsers of the team's own routes alone, and sessionOf throws without the guard", async () => {
    const fixture = await startServer()
    const app = fastify()
    await app.register(fastifyMount.fastifyAuth(fixture.auth), { prefix: "/auth" })
    app.post("/echo", async (request) => request.body)
    app.get("/open", async (request) => fastifyMount.sessionOf(request).user)
    const echo = await app.inject({ method: "POST", url: "/echo", payload: { a: 1 } })
    expect(echo.json()).toEqual({ a: 1 })
    expect((await app.inject({ url: "/open" })).statusCode).toBe(500)
    await app.close()
    await fixture.close()
  })
})

describe("where it is mounted", () => {
  let fixture: Fixture
  beforeAll(async () => {
    fixture = await startServer()
  })
  afterAll(() => fixture.close())

  it.each([
    ["/auth/", "/auth/config"],
    ["/api/:tenant/auth", "/api/a-tenant-with-a-long-name/auth/config"],
    ["/", "/config"],
  ])("fastify: the prefix %s", async (prefix, url) => {
    const app = fastify()
    await app.register(fastifyMount.fastifyAuth(fixture.auth), { prefix })
    expect((await app.inject({ url })).statusCode).toBe(200)
    await app.close()
  })

  it.each([
    ["/auth/", "/auth/config"],
    ["/", "/config"],
    ["", "/config"],
  ])("node and koa: the path %j", async (path, url) => {
    const koa = new Koa()
    koa.use(koaMount.koaAuth(fixture.auth, { path }))
    for (const listener of [nodeMount.nodeAuth(fixture.auth, { path }), koa.callback()]) {
      const app = await running(createServer(listener))
      expect((await fetch(app.origin + url)).status).toBe(200)
      await app.close()
    }
  })
})

describe("hono", () => {
  it("takes a body that the team's own middleware has read, with its limits", async () => {
    const fixture = await startServer()
    const app = new Hono()
    app.use(async (c, next) => {
      await c.req.json()
      await next()
    })
    app.all("/auth/*", honoMount.honoAuth(fixture.auth))
    const exchange = (body: string) =>
      app.request("/auth/exchange", { method: "POST", headers: { "content-type": "application/json" }, body })
    expect((await exchange(JSON.stringify(wire(fixture.login())))).status).toBe(200)
    expect((await exchange(JSON.stringify({ code: "x".repeat(9000) }))).status).toBe(413)
    // What was read beside Hono, nobody has kept.
    const beside = new Hono()
    beside.use(async (c, next) => {
      await c.req.raw.text()
      await next()
    })
    beside.all("/auth/*", honoMount.honoAuth(fixture.auth))
    const answer = await beside.request("/auth/exchange", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    })
    expect(answer.status).toBe(400)
    await fixture.close()
  })
})

describe("a Request whose body the team has read", () => {
  it("is a 400 that says so, and is told once; a clone of it may have been read", async () => {
    const fixture = await startServer()
    const { POST } = nextMount.nextAuth(fixture.auth)
    const mounted: ((request: Request, segments: string[]) => Promise<Response>)[] = [
      (request) => fixture.auth.fetch(request),
      (request, pkce) => POST(request, { params: { pkce } }),
    ]
    const init = (body: string, type = "application/json") => ({
      method: "POST",
      headers: { "content-type": type },
      body,
    })
    for (const mount of mounted) {
      for (const segments of [["exchange"], ["backchannel-logout"]]) {
        const type = segments[0] === "exchange" ? undefined : "application/x-www-form-urlencoded"
        const request = new Request(`https://x/auth/${segments.join("/")}`, init("a=b", type))
        await request.text()
        const answer = await mount(request, segments)
        expect(answer.status).toBe(400)
        expect((await answer.json()).error_description).toBe("The body was read before it came here.")
      }
      const request = new Request("https://x/auth/exchange", init(JSON.stringify(wire(fixture.login()))))
      await request.clone().json()
      expect((await mount(request, ["exchange"])).status).toBe(200)
    }
    expect(fixture.warnings.filter((text) => text.includes("is read before the mount"))).toHaveLength(1)
    await fixture.close()
  })
})

describe("HTTP/2", () => {
  it("C9: ends the stream of a body that is too long, and the connection goes on", async () => {
    const { auth, close } = await startServer()
    const koa = new Koa()
    koa.use(koaMount.koaAuth(auth))
    const app = fastify({ http2: true })
    await app.register(fastifyMount.fastifyAuth(auth), { prefix: "/auth" })
    await app.listen({ port: 0, host: "127.0.0.1" })
    // A header that HTTP/2 does not know is dropped by Node, with a warning for the log.
    const warned: string[] = []
    const note = ({ name }: Error) => void warned.push(name)
    process.on("warning", note)
    const servers = [
      createHttp2Server(nodeMount.nodeAuth(auth) as never).listen(0, "127.0.0.1"),
      createHttp2Server(koa.callback()).listen(0, "127.0.0.1"),
      app.server,
    ]
    for (const server of servers) {
      if (!server.listening) await new Promise((done) => server.once("listening", done))
      const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
      // More than a stream takes before somebody reads.
      for (const length of [200_000, 9_000]) {
        const stream = client.request({
          ":method": "POST",
          ":path": "/auth/exchange",
          "content-type": "application/json",
        })
        const status = new Promise((resolve) =>
          stream.once("response", (headers) => resolve(headers[":status"])),
        )
        const ended = new Promise<void>((resolve) => stream.once("close", resolve))
        stream.on("error", () => undefined)
        stream.resume().end("x".repeat(length))
        expect(await status).toBe(413)
        await ended
      }
      await new Promise<void>((done) => client.close(done))
    }
    process.off("warning", note)
    expect(warned).toEqual([])
    for (const server of servers.slice(0, 2)) server.close()
    await app.close()
    await close()
  })
})
