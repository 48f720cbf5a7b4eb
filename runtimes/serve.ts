import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { nodeAuth } from "@pkce/server/node"
import type { createBackend } from "./backend.js"

type Backend = ReturnType<typeof createBackend>
interface Served {
  port: number
  close(): unknown
}
interface Runtimes {
  Bun?: {
    serve(options: { port: 0; hostname: string; fetch: Backend["fetch"] }): {
      port: number
      stop(closing: true): unknown
    }
  }
  Deno?: {
    serve(
      options: { port: 0; hostname: string; onListen(): void },
      fetch: Backend["fetch"],
    ): { addr: { port: number }; shutdown(): unknown }
  }
}

/** Serves the backend as the runtime's own manual says: Bun and Deno by `fetch`, Node by its mount. */
export async function serve({ auth, fetch }: Backend): Promise<Served> {
  const { Bun, Deno } = globalThis as Runtimes
  const hostname = "127.0.0.1"
  if (Bun) {
    const server = Bun.serve({ port: 0, hostname, fetch })
    return { port: server.port, close: () => server.stop(true) }
  }
  if (Deno) {
    const server = Deno.serve({ port: 0, hostname, onListen: () => undefined }, fetch)
    return { port: server.addr.port, close: () => server.shutdown() }
  }
  const routes = nodeAuth(auth)
  const server = createServer(async (request, response) => {
    if (request.url?.startsWith("/auth/")) return routes(request, response)
    const { authorization = "" } = request.headers
    const answer = await fetch(
      new Request(`http://${request.headers.host}/me`, { headers: { authorization } }),
    )
    response.writeHead(answer.status).end(await answer.text())
  })
  await new Promise<void>((resolve) => server.listen(0, hostname, resolve))
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { port: (server.address() as AddressInfo).port, close }
}
