import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { PkceError } from "../errors.js"
import { json } from "../http/answer.js"
import { errorAnswer } from "../http/errors.js"
import type { HttpAnswer } from "../http/message.js"
import { writeAnswer } from "../http/node-message.js"

/** Milliseconds, and bytes. A proxy keeps its connections for a minute, and must not meet one that we have just closed. */
const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 20_000,
  connectionsCheckingInterval: 2_000,
  keepAliveTimeout: 65_000,
  maxHeaderSize: 16 * 1024,
}

export interface ListenerOptions {
  /** The path of the mount, without a slash at the end; empty for the root. */
  basePath: string
  handle(request: IncomingMessage, response: ServerResponse): void
  ready(): Promise<boolean>
}

export interface Listener {
  /** Resolves with the port that it got. */
  listen(port: number, host: string): Promise<number>
  /** Takes no more connections; resolves when all that was under way is answered. */
  stop(): Promise<void>
}

/** `GET /healthz`, `GET /readyz`, and everything below the mount. */
export function createListener({ basePath, handle, ready }: ListenerOptions): Listener {
  const underWay = new Map<ServerResponse, Socket>()
  const sockets = new Set<Socket>()
  let stopping = false

  const probe = async ({ method }: IncomingMessage, state: () => Promise<HttpAnswer>) =>
    method === "GET" || method === "HEAD"
      ? state()
      : withAllow(errorAnswer(new PkceError("method_not_allowed")))

  async function answerOf(request: IncomingMessage, path: string): Promise<HttpAnswer> {
    if (path === "/healthz") return probe(request, async () => json(200, { status: "ok" }))
    if (path === "/readyz")
      return probe(request, async () =>
        !stopping && (await ready())
          ? json(200, { status: "ready" })
          : json(503, { status: stopping ? "stopping" : "store_unavailable" }),
      )
    return errorAnswer(new PkceError("not_found"))
  }

  const server = createServer(LIMITS, (request, response) => {
    const { socket, url = "" } = request
    underWay.set(response, socket)
    response.once("close", () => {
      underWay.delete(response)
      if (stopping) socket.destroySoon()
    })
    if (stopping) response.setHeader("Connection", "close")
    const path = url.replace(/\?.*/s, "")
    if (path.startsWith(`${basePath}/`) && path !== "/healthz" && path !== "/readyz")
      return handle(request, response)
    void answerOf(request, path).then((answer) => writeAnswer(response, answer))
  })
  server.on("connection", (socket: Socket) => {
    sockets.add(socket)
    socket.once("close", () => sockets.delete(socket))
  })

  return {
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        server.once("error", reject)
        server.listen(port, host, () => {
          server.off("error", reject)
          resolve((server.address() as AddressInfo).port)
        })
      }),

    stop() {
      stopping = true
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      // The answers that are still to come end their connections; one that waits for a request would hold us for a minute.
      for (const response of underWay.keys())
        if (!response.headersSent) response.setHeader("Connection", "close")
      const busy = new Set(underWay.values())
      for (const socket of sockets) if (!busy.has(socket)) socket.destroy()
      return closed
    },
  }
}

const withAllow = (answer: HttpAnswer): HttpAnswer => ({
  ...answer,
  headers: { ...answer.headers, Allow: "GET, HEAD" },
})
