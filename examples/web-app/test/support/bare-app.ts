import { randomBytes } from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { createPkceServer, type PkceEvent } from "@pkce/server"
import { nodeAuth } from "@pkce/server/node"
import { sqliteStore } from "@pkce/server/sqlite"
import type { LocalProvider } from "@pkce-examples/local-provider"
import { build } from "esbuild"
import Database from "libsql"

/** A backend, and at every other address a page with nothing on it but the client of `tab.ts`. */
export async function startBareApp(provider: LocalProvider) {
  const entry = fileURLToPath(new URL("tab.ts", import.meta.url))
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    format: "esm",
    write: false,
    logLevel: "error",
  })
  const page = `<!doctype html><title>app</title><script type="module">${outputFiles[0]?.text}</script>`

  const events: PkceEvent[] = []
  const auth = createPkceServer({
    issuer: provider.issuer,
    clientId: provider.clientId,
    clientSecret: provider.clientSecret,
    redirectUris: ["http://127.0.0.1/callback"],
    secrets: [randomBytes(32).toString("base64")],
    store: sqliteStore(new Database(":memory:")),
    allowLoopbackHttp: true,
    onEvent: (event) => void events.push(event),
    onWarning: () => {},
  })
  const routes = nodeAuth(auth)
  const server = createServer((request, response) => {
    if (request.url?.startsWith("/auth/")) return void routes(request, response)
    response.writeHead(200, { "Content-Type": "text/html" }).end(page)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    events,
    async close() {
      server.closeAllConnections()
      server.close()
      await auth.close()
    },
  }
}
