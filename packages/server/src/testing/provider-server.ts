import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { EndpointFault } from "./provider-types.js"

/** What an endpoint answers when nothing goes wrong. */
export interface FakeAnswer {
  status?: number
  headers?: Record<string, string>
  json?: { [name: string]: unknown }
  raw?: string
}

export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

const wait = (duration: number) => new Promise((resolve) => setTimeout(resolve, duration))

/** Acts and answers, with the fault in between. `now` in seconds. */
export async function respond(
  response: ServerResponse,
  fault: EndpointFault | undefined,
  now: number,
  act: () => FakeAnswer,
): Promise<void> {
  if (fault?.delay) await wait(fault.delay)
  if (fault?.hangUp === "before") return void response.socket?.destroy()
  const answer = act()
  if (fault?.hangUp === "after") return void response.socket?.destroy()
  const json = fault?.json ? fault.json(answer.json ?? {}) : answer.json
  const date = new Date(now * 1000).toUTCString()
  const headers = { date, ...(json === undefined ? {} : { "content-type": "application/json" }) }
  response.writeHead(fault?.status ?? answer.status ?? 200, {
    ...headers,
    ...answer.headers,
    ...fault?.headers,
  })
  response.end(fault?.raw ?? answer.raw ?? (json === undefined ? "" : JSON.stringify(json)))
}

/** Listens on a free port of 127.0.0.1. */
export async function listen(
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<{ server: Server; origin: string }> {
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.socket?.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  const port = typeof address === "object" && address ? address.port : 0
  return { server, origin: `http://127.0.0.1:${port}` }
}

export const shut = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
