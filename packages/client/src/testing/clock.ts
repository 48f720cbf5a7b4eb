import type { ClockPort } from "../platforms/ports.js"

export interface FakeClock extends ClockPort {
  /** Lets time pass on both clocks. */
  advance(milliseconds: number): void
  /** Moves the device's clock alone. */
  jump(milliseconds: number): void
}

/**
 * Virtual time. Whenever nothing else is left to do, it moves on to the next timer, so that waiting costs no real time.
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
  const timers = new Set<{ due: number; run: () => void }>()

  function moveTo(time: number) {
    wall += time - monotonic
    monotonic = time
  }

  function fire() {
    const [next] = [...timers].sort((a, b) => a.due - b.due)
    if (!next) return
    timers.delete(next)
    moveTo(Math.max(monotonic, next.due))
    next.run()
  }

  return {
    wall: () => wall,
    monotonic: () => monotonic,
    after(milliseconds, run) {
      const timer = { due: monotonic + milliseconds, run }
      timers.add(timer)
      const real = setTimeout(fire, 5)
      return () => {
        clearTimeout(real)
        timers.delete(timer)
      }
    },
    advance: (milliseconds) => moveTo(monotonic + milliseconds),
    jump: (milliseconds) => {
      wall += milliseconds
    },
  }
}
