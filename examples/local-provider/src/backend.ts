import { randomBytes } from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { createPkceServer, type PkceEvent, type PkceServer, type PkceServerOptions } from "@pkce/server"
import { nodeAuth, requireSession } from "@pkce/server/node"
import { type LocalProvider, startLocalProvider } from "./provider.js"

export interface RunningBackend {
  /** The mount, such as `http://127.0.0.1:40000/auth`: the `url` that it was configured with. */
  url: string
  auth: PkceServer
  provider: LocalProvider
  /** Every event of the backend, oldest first. */
  events: PkceEvent[]
  close(): Promise<void>
}

/** Where an app of the tests may be sent back to; the last one is the backend's own, for hosted login. */
export const REDIRECT_URIS = ["http://127.0.0.1/callback", "com.example.app://auth/callback"]

/**
 * A whole backend in this process, for apps that speak the wire in another language: its sessions are signed with EdDSA, and
 * `/me` is a route of its own that needs one.
 *
 * @example
 * ```ts
 * const backend = await startBackend()
 * await fetch(`${backend.url}/config`)
 * ```
 */
export async function startBackend(options: Partial<PkceServerOptions> = {}): Promise<RunningBackend> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/auth`
  const provider = await startLocalProvider({
    redirectUris: [...REDIRECT_URIS, "http://127.0.0.1/auth/callback"],
  })
  const events: PkceEvent[] = []
  const auth = createPkceServer({
    issuer: provider.issuer,
    clientId: provider.clientId,
    clientSecret: provider.clientSecret,
    redirectUris: REDIRECT_URIS,
    secrets: [randomBytes(32).toString("base64")],
    url,
    session: { algorithm: "EdDSA" },
    allowLoopbackHttp: true,
    onEvent: (event) => events.push(event),
    onWarning: () => {},
    ...options,
  })
  const handleAuth = nodeAuth(auth)
  server.on("request", async (request, response) => {
    if (request.url?.startsWith("/auth/")) return handleAuth(request, response)
    const session = await requireSession(auth, request, response)
    if (session)
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(session.user))
  })
  return {
    url,
    auth,
    provider,
    events,
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
      await auth.close()
      await provider.close()
    },
  }
}
