import { once } from "node:events"
import { Agent, createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import { post } from "./post.js"

/** A late copy is held back only while the line is no more than this far ahead: the history reaches back 32. */
const REACH = 12
const TIMEOUT = 10_000

export interface Proxy {
  port: number
  /** The network is bad until this is called. */
  heal(): void
  dropped: number
  doubled: number
  late: number
  close(): Promise<void>
}

/**
 * A bad network before the fleet: it swallows 10 % of the answers after the request has had its effect (R2), sends 5 % of
 * the requests to two processes at once (R4), and a copy of 5 % once more, after newer ones (R3).
 */
export async function startProxy(ports: () => number[]): Promise<Proxy> {
  const agent = new Agent({ keepAlive: true })
  const newest = new Map<string, number>()
  const copies = new Set<Promise<void>>()
  let bad = true
  const chance = (share: number) => bad && Math.random() < share

  const proxy: Proxy = {
    port: 0,
    dropped: 0,
    doubled: 0,
    late: 0,
    heal() {
      bad = false
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await Promise.all(copies)
      agent.destroy()
    },
  }

  function forward(path: string, body: string) {
    const open = ports()
    const port = open[Math.floor(Math.random() * open.length)]
    return port === undefined ? null : post(port, path, body, agent, TIMEOUT)
  }

  async function deliverLate(path: string, body: string): Promise<void> {
    const { sid, generation } = lineOf(body)
    await sleep(100 + Math.random() * 1400)
    if ((newest.get(sid) ?? 0) - generation > REACH) return
    proxy.late++
    await forward(path, body)
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await textOf(request)
    const path = request.url ?? "/"
    const { sid, generation } = lineOf(body)
    newest.set(sid, Math.max(generation, newest.get(sid) ?? 0))

    if (chance(0.05)) {
      const copy = deliverLate(path, body).finally(() => copies.delete(copy))
      copies.add(copy)
    }
    const twice = chance(0.05)
    if (twice) proxy.doubled++
    const [answer] = await Promise.all([forward(path, body), twice && forward(path, body)])
    if (!answer) return void response.destroy()
    if (chance(0.1)) {
      proxy.dropped++
      return void response.destroy()
    }
    response.writeHead(answer.status, answer.headers)
    response.end(answer.body)
  }

  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy())
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  if (address && typeof address === "object") proxy.port = address.port
  return proxy
}

function lineOf(body: string): { sid: string; generation: number } {
  const [, , sid = "", generation] = /"refresh_token":"([^"]*)"/.exec(body)?.[1]?.split(".") ?? []
  return { sid, generation: Number(generation) }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ""
  for await (const chunk of request.setEncoding("utf8")) text += chunk
  return text
}
