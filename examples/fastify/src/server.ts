import { createPkceServer } from "@pkce/server"
import { fastifyAuth, requireSession, sessionOf } from "@pkce/server/fastify"
import { sqliteStore } from "@pkce/server/sqlite"
import Fastify from "fastify"
import Database from "libsql"

// Issuer, client, redirect URIs and the secret come from the environment: PKCE_ISSUER, PKCE_CLIENT_ID, ...
const auth = createPkceServer({
  store: sqliteStore(new Database(process.env.DATABASE ?? "auth.db")),
})

const app = Fastify({ forceCloseConnections: true })
app.register(fastifyAuth(auth), { prefix: "/auth" })
app.get("/me", { preHandler: requireSession(auth) }, async (request) => ({
  user: sessionOf(request).user,
}))
app.addHook("onClose", () => auth.close())

console.log(`listening on ${await app.listen({ port: Number(process.env.PORT ?? 3000), host: "127.0.0.1" })}`)
process.once("SIGTERM", () => app.close())
