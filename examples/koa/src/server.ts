import type { AddressInfo } from "node:net"
import { createPkceServer } from "@pkce/server"
import { koaAuth, requireSession } from "@pkce/server/koa"
import { sqliteStore } from "@pkce/server/sqlite"
import Koa from "koa"
import Database from "libsql"

// Issuer, client, redirect URIs and the secret come from the environment: PKCE_ISSUER, PKCE_CLIENT_ID, ...
const auth = createPkceServer({
  store: sqliteStore(new Database(process.env.DATABASE ?? "auth.db")),
})

const app = new Koa()
app.use(koaAuth(auth))

const guard = requireSession(auth)
app.use((ctx, next) => (ctx.path === "/me" ? guard(ctx, next) : next()))
app.use((ctx) => {
  if (ctx.path === "/me") ctx.body = { user: ctx.state.auth?.user }
})

const server = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})

process.once("SIGTERM", () => {
  server.close(() => auth.close())
  server.closeAllConnections()
})
