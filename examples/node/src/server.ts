import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { createPkceServer } from "@pkce/server"
import { nodeAuth, requireSession } from "@pkce/server/node"
import { sqliteStore } from "@pkce/server/sqlite"
import Database from "libsql"

// Issuer, client, redirect URIs and the secret come from the environment: PKCE_ISSUER, PKCE_CLIENT_ID, ...
const auth = createPkceServer({
  store: sqliteStore(new Database(process.env.DATABASE ?? "auth.db")),
})
const handleAuth = nodeAuth(auth)

const server = createServer(async (request, response) => {
  if (request.url?.startsWith("/auth/")) return handleAuth(request, response)
  // It has answered the request itself where there is no session.
  const session = await requireSession(auth, request, response)
  if (session) {
    response
      .writeHead(200, { "content-type": "application/json" })
      .end(JSON.stringify({ user: session.user }))
  }
})

server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})

process.once("SIGTERM", () => {
  server.close(() => auth.close())
  server.closeAllConnections()
})
