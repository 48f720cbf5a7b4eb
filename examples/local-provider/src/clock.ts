import type { ClockPort } from "@pkce/client"

/** The machine's clock, and the device's owner may move it on: `advance` by seconds. */
export function createClock(): ClockPort & { advance(seconds: number): void } {
  let ahead = 0
  return {
    wall: () => Date.now() + ahead,
    monotonic: () => performance.now() + ahead,
    after(milliseconds, run) {
      const timer = setTimeout(run, milliseconds)
      return () => clearTimeout(timer)
    },
    advance(seconds) {
      ahead += seconds * 1000
    },
  }
}
