import { createServer } from "node:http"
import { createInterface } from "node:readline"
import type { PkceServerOptions } from "../../src/config/options.js"
import { nodeAuth } from "../../src/mounts/node.js"
import { createPkceServer } from "../../src/server.js"
import { shortMemory } from "../support/short-memory.js"
import { openStore, type Place } from "./stores.js"

// One process of the fleet: a whole server on node:http. Its task is the first line of its input; it says its port, then a
// word for each refresh, on its output. When its input ends, so does it: it cannot outlive whoever started it.

export interface Task {
  place: Place
  options: PkceServerOptions
  /** Strict rotation, the negative control: every repeat is taken for reuse. */
  strict: boolean
}

const say = (text: string) => process.stdout.write(`${text}\n`)

async function work({ place, options, strict }: Task): Promise<void> {
  const { store } = await openStore(place)
  const auth = createPkceServer({
    ...options,
    rateLimit: false,
    store: strict ? shortMemory(store, 0) : store,
    onWarning: () => undefined,
    onEvent(event) {
      if (event.type === "session.refreshed")
        say(event.forward ? "forward" : event.repeat ? "repeat" : "step")
      if (event.type === "session.reuse_detected") say("alarm")
    },
  })
  const server = createServer(nodeAuth(auth))
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    if (address && typeof address === "object") say(`port ${address.port}`)
  })
}

const input = createInterface({ input: process.stdin })
input.once("line", (line) => void work(JSON.parse(line) as Task))
input.once("close", () => process.exit())
