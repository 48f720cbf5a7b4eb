import { randomBytes } from "node:crypto"
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { createPkceServer, type PkceEvent } from "@pkce/server"
import { nodeAuth } from "@pkce/server/node"
import { sqliteStore } from "@pkce/server/sqlite"
import type { LocalProvider } from "@pkce-examples/local-provider"
import { build } from "esbuild"
import Database from "libsql"

const listening = (server: Server) => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))

/** A server whose every request is noted. The same one at `localhost` is another origin, and another site. */
async function noted(listen: RequestListener) {
  const asked: { url: string; referer: string | undefined; cookie: string | undefined }[] = []
  const server = createServer((request, response) => {
    const { referer, cookie } = request.headers
    asked.push({ url: request.url ?? "", referer, cookie })
    listen(request, response)
  })
  await listening(server)
  const { port } = server.address() as AddressInfo
  return { asked, server, url: `http://127.0.0.1:${port}`, foreign: `http://localhost:${port}` }
}

const html =
  (text: string): RequestListener =>
  (_, response) => {
    response.writeHead(200, { "Content-Type": "text/html" }).end(text)
  }

/** The app's origin without the app, for what has to be there before it starts. */
const EMPTY = "<!doctype html><title>settings</title>"

/** What a page of somebody else hears. */
const EAR = `<!doctype html><title>stranger</title><body><script>
heard = []; onmessage = ({ data, origin }) => heard.push({ data, origin })
</script>`

/** An app, a backend of its own at another port, which hosts the login, and a stranger. All at 127.0.0.1, and so one site. */
export async function startHostedSite(provider: LocalProvider) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("hosted-tab.ts", import.meta.url))],
    bundle: true,
    format: "esm",
    write: false,
    logLevel: "error",
  })
  const page = `<!doctype html><title>app</title><body><script type="module">${outputFiles[0]?.text}</script>`

  const events: PkceEvent[] = []
  const routes: { far: RequestListener; near: RequestListener } = { far: () => {}, near: () => {} }
  const app = await noted((request: IncomingMessage, response) => {
    if (request.url?.startsWith("/auth/")) return void routes.near(request, response)
    html(request.url === "/settings" ? EMPTY : page)(request, response)
  })
  const backend = await noted((request, response) => void routes.far(request, response))
  const stranger = await noted(html(EAR))

  const store = sqliteStore(new Database(":memory:"))
  const secret = randomBytes(32).toString("base64")
  const authAt = (url: string) =>
    createPkceServer({
      issuer: provider.issuer,
      clientId: provider.clientId,
      clientSecret: provider.clientSecret,
      redirectUris: ["http://127.0.0.1/callback", "com.example.app://auth/callback"],
      secrets: [secret],
      store,
      url,
      hosted: { poll: true, name: "Example", origins: [app.url] },
      allowedOrigins: [app.url],
      allowLoopbackHttp: true,
      onEvent: (event) => void events.push(event),
      onWarning: () => {},
    })
  const far = authAt(`${backend.url}/auth`)
  // The same backend behind the app's own origin.
  const near = authAt(`${app.url}/auth`)
  Object.assign(routes, { far: nodeAuth(far), near: nodeAuth(near) })

  return {
    app,
    backend,
    stranger,
    events,
    server: `${backend.url}/auth`,
    async close() {
      for (const { server } of [app, backend, stranger]) {
        server.closeAllConnections()
        server.close()
      }
      await Promise.all([far.close(), near.close()])
    },
  }
}
