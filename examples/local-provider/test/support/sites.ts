import { createServer, type IncomingMessage, type Server } from "node:http"
import type { AddressInfo } from "node:net"

export interface Answer {
  status?: number
  headers?: Record<string, string>
  body?: string
}

/** An origin of its own on loopback: each port is one. */
export interface Site {
  origin: string
  /** What each path answers. */
  at: Map<string, (request: IncomingMessage, body: string) => Answer>
  /** Method and path of every request. */
  asked: string[]
}

const servers: Server[] = []

export async function startSite(): Promise<Site> {
  const at: Site["at"] = new Map()
  const asked: string[] = []
  const server = createServer(async (request, response) => {
    const path = (request.url ?? "").split("?")[0] ?? ""
    asked.push(`${request.method} ${request.url}`)
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    const answer = at.get(path)?.(request, Buffer.concat(parts).toString())
    response.writeHead(answer?.status ?? (answer ? 200 : 404), {
      "Content-Type": "text/html; charset=utf-8",
      ...answer?.headers,
    })
    response.end(answer?.body ?? "")
  })
  servers.push(server)
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening))
  const { port } = server.address() as AddressInfo
  return { origin: `http://127.0.0.1:${port}`, at, asked }
}

export async function stopSites(): Promise<void> {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((closed) => server.close(closed))
  }
}
