import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { serve } from "@hono/node-server"
import express from "express"
import fastify from "fastify"
import { Hono } from "hono"
import Koa from "koa"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as expressMount from "../src/mounts/express.js"
import * as fastifyMount from "../src/mounts/fastify.js"
import * as honoMount from "../src/mounts/hono.js"
import * as koaMount from "../src/mounts/koa.js"
import * as nextMount from "../src/mounts/next.js"
import * as nodeMount from "../src/mounts/node.js"
import type { PkceServer } from "../src/server-types.js"
import { type Fixture, startServer, wire } from "./support/server.js"

interface Running {
  origin: string
  close(): Promise<void>
}

/** `ran` is called by the guarded route. Every mount has the routes below /auth and a guarded GET /me. */
type Start = (auth: PkceServer, ran: () => void) => Promise<Running>

async function running(server: Server): Promise<Running> {
  if (!server.listening) await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((done) => {
        server.closeAllConnections()
        server.close(() => done())
      }),
  }
}

const mounts: Record<string, Start> = {
  async express(auth, ran) {
    const app = express()
    app.use("/auth", expressMount.expressAuth(auth))
    app.get("/me", expressMount.requireSession(auth, { checkRevocation: true }), (req, res) => {
      ran()
      res.json(req.auth.user)
    })
    return running(createServer(app))
  },

  async "express behind express.json()"(auth, ran) {
    const app = express()
    app.use(express.json())
    app.use("/auth", expressMount.expressAuth(auth))
    app.get("/me", expressMount.requireSession(auth, { checkRevocation: true }), (req, res) => {
      ran()
      res.json(req.auth.user)
    })
    return running(createServer(app))
  },

  async fastify(auth, ran) {
    const app = fastify()
    await app.register(fastifyMount.fastifyAuth(auth), { prefix: "/auth" })
    const preHandler = fastifyMount.requireSession(auth, { checkRevocation: true })
    app.get("/me", { preHandler }, async (request) => {
      ran()
      return fastifyMount.sessionOf(request).user
    })
    // The team's own routes keep their parser.
    app.post("/echo", async (request) => request.body)
    const origin = await app.listen({ port: 0, host: "127.0.0.1" })
    return { origin, close: async () => void (await app.close()) }
  },

  async hono(auth, ran) {
    const app = new Hono<{ Variables: honoMount.SessionVariables }>()
    app.all("/auth/*", honoMount.honoAuth(auth))
    app.get("/me", honoMount.requireSession(auth, { checkRevocation: true }), (c) => {
      ran()
      return c.json(c.get("auth").user)
    })
    return running(serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }) as Server)
  },

  async koa(auth, ran) {
    const app = new Koa()
    app.use(koaMount.koaAuth(auth))
    app.use(koaMount.requireSession(auth, { checkRevocation: true }))
    app.use((ctx) => {
      ran()
      ctx.body = ctx.state.auth.user
    })
    return running(createServer(app.callback()))
  },

  async next(auth, ran) {
    // A catch-all route as Next calls it: Web requests, and the parameters as a promise.
    const routes = nextMount.nextAuth(auth)
    const me = nextMount.requireSession(
      auth,
      (_request, _context: object, session) => {
        ran()
        return Response.json(session.user)
      },
      { checkRevocation: true },
    )
    const app = new Hono()
    app.all("/auth/*", (c) => {
      const pkce = c.req.path.split("/").slice(2)
      const handler = routes[c.req.method as keyof typeof routes]
      return handler ? handler(c.req.raw, { params: Promise.resolve({ pkce }) }) : c.body(null, 405)
    })
    app.get("/me", (c) => me(c.req.raw, {}))
    return running(serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }) as Server)
  },

  async node(auth, ran) {
    const handle = nodeMount.nodeAuth(auth)
    return running(
      createServer(async (req, res) => {
        if (req.url?.startsWith("/auth")) return handle(req, res)
        const session = await nodeMount.requireSession(auth, req, res, { checkRevocation: true })
        if (!session) return
        ran()
        res.end(JSON.stringify(session.user))
      }),
    )
  },

  async "fetch, as Workers and Deno call it"(auth, ran) {
    const app = new Hono()
    app.all("/auth/*", (c) => auth.fetch(c.req.raw))
    app.get("/me", honoMount.requireSession(auth, { checkRevocation: true }) as never, (c) => {
      ran()
      return c.json((c.get("auth" as never) as { user: object }).user)
    })
    return running(serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }) as Server)
  },
}

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
