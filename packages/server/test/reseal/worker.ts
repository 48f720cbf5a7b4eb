import { createInterface } from "node:readline"
import { setImmediate } from "node:timers/promises"
import type { PkceServerOptions } from "../../src/config/options.js"
import { PkceError } from "../../src/errors.js"
import { createPkceServer } from "../../src/server.js"
import type { PkceServer } from "../../src/server-types.js"
import type { Store } from "../../src/stores/contract.js"
import { openStore, type Place } from "../chaos/stores.js"

// A process that does one thing again and again, from the second line of its input to the end of it: it seals sessions anew,
// or has the provider's tokens refreshed. It says `ready`, and then what came of each round.

export interface Task {
  place: Place
  options: PkceServerOptions
  work: "reseal" | "refresh"
  sids: string[]
  /** It kills itself when it holds the first lease. */
  dies?: boolean
}

/** What came of a round: sessions that were sealed anew or refreshed, or the error. */
export interface Round {
  done: number
  error?: string
}

const say = (what: unknown) => process.stdout.write(`${JSON.stringify(what)}\n`)
const problem = (thrown: unknown) =>
  thrown instanceof PkceError ? `${thrown.code} ${thrown.reason}` : String(thrown)

const mortal = (store: Store): Store => ({
  ...store,
  async leaseGrant(sid, lease) {
    await store.leaseGrant(sid, lease)
    process.kill(process.pid, "SIGKILL")
    return new Promise(() => undefined)
  },
})

async function round(auth: PkceServer, { work, sids }: Task): Promise<Round> {
  try {
    if (work === "reseal") return { done: (await auth.resealSessions()).resealed }
    const sid = sids[Math.floor(Math.random() * sids.length)] ?? ""
    await auth.provider(sid).accessToken({ minTtl: 60 })
    return { done: 1 }
  } catch (thrown) {
    return { done: 0, error: problem(thrown) }
  }
}

async function run(task: Task, begin: Promise<unknown>, over: () => boolean): Promise<void> {
  const { store } = await openStore(task.place)
  const auth = createPkceServer({
    ...task.options,
    store: task.dies ? mortal(store) : store,
    onWarning: () => undefined,
    onEvent: () => undefined,
  })
  say("ready")
  await begin
  while (!over()) {
    say(await round(auth, task))
    await setImmediate()
  }
  await auth.close()
}

const input = createInterface({ input: process.stdin })
let over = false
input.once("close", () => {
  over = true
})
input.once("line", (line) => {
  const begin = new Promise((resolve) => input.once("line", resolve))
  void run(JSON.parse(line) as Task, begin, () => over).then(() => process.exit())
})
