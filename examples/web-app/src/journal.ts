import type { Step, Tell } from "@pkce-examples/flow"
import type { RequestHandler } from "express"

export interface Journal {
  tell: Tell
  /** `GET /flow`: the steps as server-sent events. A page that comes back gets what it missed (`Last-Event-ID`). */
  stream: RequestHandler
  close(): void
}

/** The steps that the backend and the provider saw. Every page sees all of them: for one person's own machine. */
export function createJournal(onStep: (step: Step) => void = () => {}): Journal {
  const steps: Step[] = []
  const readers = new Set<(from: number) => void>()
  const closing = new AbortController()

  return {
    tell(told) {
      const step = { ...told, at: Date.now() }
      steps.push(step)
      onStep(step)
      for (const read of readers) read(steps.length - 1)
    },
    stream(req, res) {
      const known = Number(req.get("last-event-id") ?? req.query.from)
      res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" })
      const read = (from: number) => {
        for (let i = from; i < steps.length; i++) {
          res.write(`id: ${i + 1}\ndata: ${JSON.stringify(steps[i])}\n\n`)
        }
      }
      // A page that was never here begins with what comes next.
      const from = Number.isInteger(known) && known >= 0 ? Math.min(known, steps.length) : steps.length
      res.write(`id: ${from}\nevent: here\ndata:\n\n`)
      read(from)
      readers.add(read)
      const end = () => res.end()
      closing.signal.addEventListener("abort", end, { once: true })
      res.on("close", () => {
        readers.delete(read)
        closing.signal.removeEventListener("abort", end)
      })
    },
    close: () => closing.abort(),
  }
}
