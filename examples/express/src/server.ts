import type { AddressInfo } from "node:net"
import { createPkceServer } from "@pkce/server"
import { expressAuth, requireSession } from "@pkce/server/express"
import { sqliteStore } from "@pkce/server/sqlite"
import express from "express"
import Database from "libsql"

// Issuer, client, redirect URIs and the secret come from the environment: PKCE_ISSUER, PKCE_CLIENT_ID, ...
const auth = createPkceServer({
  store: sqliteStore(new Database(process.env.DATABASE ?? "auth.db")),
})

const app = express()
app.use("/auth", expressAuth(auth))
app.get("/me", requireSession(auth), (req, res) => {
  res.json({ user: req.auth.user })
})

const server = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})

process.once("SIGTERM", () => {
  server.close(() => auth.close())
  server.closeAllConnections()
})
