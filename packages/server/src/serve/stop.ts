import { codeOf, type Log, placesOf } from "./log.js"

/** Milliseconds: a container that has got SIGTERM is killed after 30 s by default. */
const DEADLINE = 28_000

const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const

/**
 * Ends the process with 0 when a signal came and `stop` is done, with 1 when that takes too long; at once at the second
 * signal. What nobody caught ends it with 1: what state it leaves is unknown, and the next process begins with a known one.
 */
export function endProcessWell(stop: () => Promise<void>, log: Log): void {
  let stopping = false

  for (const [signal, code] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      if (stopping) process.exit(code)
      stopping = true
      setTimeout(() => {
        log.say("serve.stopped", { whole: false })
        process.exit(1)
      }, DEADLINE).unref()
      const stopped = stop()
      log.say("serve.stopping", { signal })
      stopped.then(() => {
        log.say("serve.stopped", { whole: true })
        process.exit(0)
      }, crash)
    })
  }

  function crash(error: unknown): void {
    // GR2: no message, which may quote a value.
    const at = Math.floor(Date.now() / 1000)
    const entry = { at, type: "serve.crashed", code: codeOf(error), places: placesOf(error) }
    process.stderr.write(`${JSON.stringify(entry)}\n`)
    process.exit(1)
  }
  process.on("uncaughtException", crash)
  process.on("unhandledRejection", crash)
  // Whoever read our output has gone: no reason to end sessions being served.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined)
}
