import type { ClockPort } from "../../../src/platforms/ports.js"

/** As time sees it: what is due for one that is dead is lost, and for one that sleeps it waits until it wakes. */
export interface Process {
  alive: boolean
  asleep: boolean
}

interface Due {
  at: number
  run: () => void
  process: Process | undefined
}

export type VirtualTime = ReturnType<typeof virtualTime>

/** Time that passes only when everything that could be done now is done, so that a run is the same each time. */
export function virtualTime(start: number) {
  let now = start
  let dues: Due[] = []
  const works = new Set<Promise<unknown>>()

  /** Answers how to call it off. */
  function after(milliseconds: number, run: () => void, process?: Process): () => void {
    const due = { at: now + milliseconds, run, process }
    dues.push(due)
    return () => {
      dues = dues.filter((other) => other !== due)
    }
  }

  /** Time stands still during real work, such as cryptography in another thread. */
  async function during<T>(work: Promise<T>): Promise<T> {
    works.add(work)
    try {
      return await work
    } finally {
      works.delete(work)
    }
  }

  /** Until every promise that can settle has: three turns, since a `Response` takes some to be read. */
  async function idle(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) {
      await new Promise(setImmediate)
      if (works.size > 0) turn = -1
    }
  }

  /** Takes out what is due first by then. */
  function take(until: number): Due | undefined {
    dues = dues.filter(({ process }) => process?.alive !== false)
    const ready = dues.filter(({ at, process }) => at <= until && !process?.asleep)
    const first = ready.reduce((best, due) => (due.at < best.at ? due : best), ready[0] as Due)
    dues = dues.filter((due) => due !== first)
    return first
  }

  return {
    now: () => now,
    after,
    during,
    idle,
    wait: (milliseconds: number, process?: Process) =>
      new Promise<void>((resolve) => void after(milliseconds, resolve, process)),
    async pass(milliseconds: number): Promise<void> {
      const until = now + milliseconds
      await idle()
      for (let due = take(until); due; due = take(until)) {
        now = Math.max(now, due.at)
        due.run()
        await idle()
      }
      now = until
    },
    /** How much is still to come. */
    pending: () => dues.length,
    clockOf: (process: Process, offset: () => number): ClockPort => ({
      wall: () => now + offset(),
      monotonic: () => now,
      after: (milliseconds, run) => after(Math.max(0, milliseconds), run, process),
    }),
  }
}
