import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"

/** An address whose server may change, as a managed service gives one: a proxy for TCP. */
export interface Gate {
  port: number
  /** Everything open is cut off; what connects from now on comes to that port, or to nothing. */
  lead(to: number | null): void
  /** Nothing passes any more on what is open, and nobody is told. What connects from now on is served. */
  silence(): void
  close(): Promise<void>
}

/** @param lag Milliseconds by which what the server says comes late. */
export async function openGate(target: number, lag = 0): Promise<Gate> {
  let to: number | null = target
  const open = new Set<Socket>()
  const cut = () => {
    for (const socket of open) socket.destroy()
  }
  const server = createServer((outer) => {
    if (to === null) return void outer.destroy()
    const inner = connect(to, "127.0.0.1")
    for (const [socket, peer] of [[outer, inner] as const, [inner, outer] as const]) {
      open.add(socket)
      socket.on("error", () => undefined)
      socket.on("close", () => {
        open.delete(socket)
        peer.destroy()
      })
    }
    outer.pipe(inner)
    if (lag === 0) inner.pipe(outer)
    else inner.on("data", (chunk) => setTimeout(() => outer.write(chunk), lag))
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("no port")
  return {
    port: address.port,
    lead(port) {
      to = port
      cut()
    },
    silence() {
      for (const socket of open) {
        socket.removeAllListeners("data")
        socket.unpipe()
        // What comes is swallowed, as if it had been lost on the way.
        socket.resume()
      }
    },
    async close() {
      server.close()
      cut()
      await once(server, "close")
    },
  }
}
