import type { ClockPort } from "../platforms/ports.js"

export interface FakeClock extends ClockPort {
  /** Lets time pass on both clocks, and runs what is due by then. */
  advance(milliseconds: number): void
  /** Moves the device's clock alone. */
  jump(milliseconds: number): void
}

/** Milliseconds: what waits longer than that is a limit, which a test reaches only on purpose. */
const SHORT = 60_000

/**
 * Virtual time. Whenever nothing else is left to do, it moves on to the next timer, so that waiting costs no real time; a timer
 * of more than a minute is due only by `advance`.
 *
 * @example
 * ```ts
 * const clock = fakeClock()
 * clock.advance(3_600_000) // an hour passes
 * clock.jump(-86_400_000) // the device's clock is set back by a day
 * ```
 */
export function fakeClock(): FakeClock {
  let monotonic = 1000
  let wall = 1_700_000_000_000
  const timers = new Set<{ due: number; run: () => void; isLimit: boolean }>()

  function moveTo(time: number) {
    wall += time - monotonic
    monotonic = time
  }

  /** Runs the next timer that is due by then. */
  function fire(until: number): boolean {
    const [next] = [...timers].sort((a, b) => a.due - b.due)
    if (!next || next.due > until) return false
    timers.delete(next)
    moveTo(Math.max(monotonic, next.due))
    next.run()
    return true
  }

  const lastWait = () => Math.max(0, ...[...timers].filter((timer) => !timer.isLimit).map(({ due }) => due))

  return {
    wall: () => wall,
    monotonic: () => monotonic,
    after(milliseconds, run) {
      const timer = { due: monotonic + milliseconds, run, isLimit: milliseconds > SHORT }
      timers.add(timer)
      const real = timer.isLimit ? undefined : setTimeout(() => fire(lastWait()), 5)
      return () => {
        clearTimeout(real)
        timers.delete(timer)
      }
    },
    advance(milliseconds) {
      const until = monotonic + milliseconds
      while (fire(until)) {
        // Each may have set another.
      }
      moveTo(until)
    },
    jump: (milliseconds) => {
      wall += milliseconds
    },
  }
}
