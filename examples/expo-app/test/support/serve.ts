import { randomBytes } from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { createPkceServer, memoryStore } from "@pkce/server"
import { expressAuth, requireSession } from "@pkce/server/express"
import type { LocalProvider } from "@pkce-examples/local-provider"
import express from "express"

const dist = fileURLToPath(new URL("../../dist", import.meta.url))

/** What `npm run export` made for the web, and the app's own backend, on one origin. */
export async function serveExport(provider: LocalProvider) {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const auth = createPkceServer({
    issuer: provider.issuer,
    clientId: provider.clientId,
    clientSecret: provider.clientSecret,
    redirectUris: ["http://127.0.0.1/callback"],
    secrets: [randomBytes(32).toString("base64")],
    store: memoryStore(),
    session: { claims: ["name"] },
    allowLoopbackHttp: true,
    onWarning: () => {},
  })
  const app = express()
  app.use("/auth", expressAuth(auth))
  app.get("/me", requireSession(auth), (req, res) => void res.json({ user: req.auth.user }))
  app.use(express.static(dist, { index: false }))
  // One page for every address; at /callback it finishes the login.
  app.get(["/", "/callback"], (_, res) => res.sendFile("index.html", { root: dist }))
  server.on("request", app)
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
      await auth.close()
    },
  }
}
