import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { serve } from "@hono/node-server"
import express from "express"
import fastify from "fastify"
import { Hono } from "hono"
import Koa from "koa"
import * as expressMount from "../../src/mounts/express.js"
import * as fastifyMount from "../../src/mounts/fastify.js"
import * as honoMount from "../../src/mounts/hono.js"
import * as koaMount from "../../src/mounts/koa.js"
import * as nextMount from "../../src/mounts/next.js"
import * as nodeMount from "../../src/mounts/node.js"
import type { PkceServer } from "../../src/server-types.js"

export interface Running {
  origin: string
  close(): Promise<void>
}

/** `ran` is called by the guarded route. Every mount has the routes below /auth and a guarded GET /me. */
type Start = (auth: PkceServer, ran: () => void) => Promise<Running>

export async function running(server: Server): Promise<Running> {
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

export const mounts: Record<string, Start> = {
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
