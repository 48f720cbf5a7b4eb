import { afterEach, expect, it, vi } from "vitest"
import { systemClock } from "./clock.js"

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

it("R19 the monotonic clock does not jump with the device's", () => {
  const before = systemClock.monotonic()
  vi.spyOn(Date, "now").mockReturnValue(0)
  expect(systemClock.wall()).toBe(0)
  expect(systemClock.monotonic()).toBeGreaterThanOrEqual(before)
  expect(systemClock.monotonic()).toBeGreaterThan(0)
  vi.restoreAllMocks()
})

it("P19 without `performance` there is one clock for both", () => {
  vi.stubGlobal("performance", undefined)
  expect(systemClock.monotonic()).toBeGreaterThan(1_700_000_000_000)
})

it("a timer that is stopped does not run", () => {
  vi.useFakeTimers()
  const [kept, stopped] = [vi.fn(), vi.fn()]
  systemClock.after(10, kept)
  systemClock.after(10, stopped)()
  vi.advanceTimersByTime(10)
  expect(kept).toHaveBeenCalledOnce()
  expect(stopped).not.toHaveBeenCalled()
})
