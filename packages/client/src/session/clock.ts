import type { ClockPort } from "../platforms/ports.js"

/** The engine's own clocks. `monotonic` falls back to the wall clock where there is no `performance`. */
export const systemClock: ClockPort = {
  wall: () => Date.now(),
  monotonic: () => globalThis.performance?.now() ?? Date.now(),
  after(milliseconds, run) {
    const timer = setTimeout(run, milliseconds)
    return () => clearTimeout(timer)
  },
}

export const pause = (clock: ClockPort, milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    clock.after(milliseconds, resolve)
  })

/** The age of something dated by the wall clock, judged from now on by the stricter of both clocks. */
export type Age = () => number

/**
 * R19: a device's clock may be wrong by years and jump both ways. What is older by either clock is older, so a jump can make
 * something end early, never late; a date from the future is older than anything lives.
 */
export function ageSince(clock: ClockPort, wall: number): Age {
  const atFirst = clock.wall() - wall
  const since = clock.monotonic()
  return () => (atFirst < 0 ? 1e15 : Math.max(clock.wall() - wall, atFirst + clock.monotonic() - since))
}
