import { serve } from "@hono/node-server"
import { createPkceServer } from "@pkce/server"
import { honoAuth, requireSession, type SessionVariables } from "@pkce/server/hono"
import { sqliteStore } from "@pkce/server/sqlite"
import { Hono } from "hono"
import Database from "libsql"

// Issuer, client, redirect URIs and the secret come from the environment: PKCE_ISSUER, PKCE_CLIENT_ID, ...
const auth = createPkceServer({
  store: sqliteStore(new Database(process.env.DATABASE ?? "auth.db")),
})

const app = new Hono<{ Variables: SessionVariables }>()
app.all("/auth/*", honoAuth(auth))
app.get("/me", requireSession(auth), (c) => c.json({ user: c.get("auth").user }))

const port = Number(process.env.PORT ?? 3000)
const server = serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }, (address) => {
  console.log(`listening on http://127.0.0.1:${address.port}`)
})

process.once("SIGTERM", () => {
  server.close(() => auth.close())
  if ("closeAllConnections" in server) server.closeAllConnections()
})
