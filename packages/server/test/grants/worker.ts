import { createInterface } from "node:readline"
import type { PkceServerOptions } from "../../src/config/options.js"
import { PkceError } from "../../src/errors.js"
import { createPkceServer } from "../../src/server.js"
import type { Store } from "../../src/stores/contract.js"
import { openStore, type Place } from "../chaos/stores.js"

// A process of the fleet that wants one access token, very often. It says `ready`; at the next line of its input it asks,
// and says what it got. It ends with its input.

export interface Task {
  place: Place
  options: PkceServerOptions
  sid: string
  requests: number
  /** Seconds by which the store's clock is ahead: leases of the processes before are over. */
  ahead: number
  /** The point at which it kills itself: with the lease in its hand, with the provider's answer, or with all of it saved. */
  diesAt?: "leased" | "answered" | "saved"
}

/** What it says: the tokens and the error codes that it got, each once. */
export interface Report {
  tokens: string[]
  errors: string[]
}

const say = (text: string) => process.stdout.write(`${text}\n`)

function die(): Promise<never> {
  process.kill(process.pid, "SIGKILL")
  return new Promise(() => undefined)
}

const mortal = (store: Store, diesAt: Task["diesAt"]): Store => ({
  ...store,
  async leaseGrant(sid, lease) {
    const result = await store.leaseGrant(sid, lease)
    return diesAt === "leased" ? die() : result
  },
  async sealGrant(seal) {
    if (diesAt === "answered") return die()
    const result = await store.sealGrant(seal)
    return diesAt === "saved" ? die() : result
  },
})

async function work(task: Task): Promise<Report> {
  const { store } = await openStore(task.place, () => Date.now() + task.ahead * 1000)
  const auth = createPkceServer({
    ...task.options,
    store: mortal(store, task.diesAt),
    onWarning: () => undefined,
    onEvent: () => undefined,
  })
  say("ready")
  await new Promise((resolve) => input.once("line", resolve))
  const access = auth.provider(task.sid)
  const results = await Promise.allSettled(Array.from({ length: task.requests }, () => access.accessToken()))
  const tokens = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []))
  const errors = results.flatMap((result) =>
    result.status === "rejected" && result.reason instanceof PkceError
      ? [`${result.reason.code} ${result.reason.reason}`]
      : [],
  )
  return { tokens: [...new Set(tokens)], errors: [...new Set(errors)] }
}

const input = createInterface({ input: process.stdin })
input.once("line", (line) => {
  void work(JSON.parse(line) as Task).then((report) => say(JSON.stringify(report)))
})
input.once("close", () => process.exit())
