import { createServer } from "node:http"
import {
  createPkceServer,
  memoryStore,
  PkceError,
  type PkceServer,
  type Session,
  type Store,
} from "@pkce/server"
import { expressAuth, requireSession as expressSession } from "@pkce/server/express"
import { fastifyAuth, requireSession as fastifySession, sessionOf } from "@pkce/server/fastify"
import { honoAuth, requireSession as honoSession, type SessionVariables } from "@pkce/server/hono"
import { koaAuth, requireSession as koaSession } from "@pkce/server/koa"
import { nextAuth, requireSession as nextSession } from "@pkce/server/next"
import { nodeAuth, requireSession as nodeSession } from "@pkce/server/node"
import { sqliteStore } from "@pkce/server/sqlite"
import { startFakeProvider, storeConformance } from "@pkce/server/testing"
import express from "express"
import Fastify from "fastify"
import { Hono } from "hono"
import Koa from "koa"
import Database from "libsql"

const store: Store = sqliteStore(new Database(":memory:"))

export const auth: PkceServer = createPkceServer({
  issuer: "https://tenant.auth0.com/",
  clientId: "client",
  clientSecret: "secret",
  redirectUris: ["com.example.app://auth/callback"],
  secrets: [process.env.PKCE_SECRET, { secret: process.env.PKCE_OLD_SECRET, signFrom: 0 }],
  session: { claims: ["email"] },
  store,
  onEvent: (event) => console.log(event.type, event.reason),
})

export const onExpress = express()
  .use("/auth", expressAuth(auth))
  .get("/me", expressSession(auth), (req, res) => {
    res.json(req.auth.user.sub)
  })

export const onFastify = Fastify()
onFastify.register(fastifyAuth(auth), { prefix: "/auth" })
onFastify.get("/me", { preHandler: fastifySession(auth) }, async (request) => sessionOf(request).user.sub)

export const onHono = new Hono<{ Variables: SessionVariables }>()
  .all("/auth/*", honoAuth(auth))
  .get("/me", honoSession(auth), (c) => c.json(c.get("auth").user.sub))

export const onKoa = new Koa()
  .use(koaAuth(auth))
  .use(koaSession(auth))
  .use((ctx) => {
    ctx.body = ctx.state.auth?.user.sub
  })

export const { GET, POST, DELETE, OPTIONS } = nextAuth(auth)
export const me = nextSession(auth, (_request, _context, session) => Response.json(session.user.sub))

const handle = nodeAuth(auth, { path: "/auth" })
export const onNode = createServer(async (request, response) => {
  if (request.url?.startsWith("/auth/")) return handle(request, response)
  const session = await nodeSession(auth, request, response)
  if (session) response.end(session.user.sub)
})

export async function whoever(request: Request): Promise<Session | null> {
  try {
    return await auth.authenticate(request, { checkRevocation: true })
  } catch (error) {
    if (error instanceof PkceError && error.code === "unavailable") return null
    throw error
  }
}

export const conformance = storeConformance(async () => ({ store: memoryStore() }))
export const provider = startFakeProvider
