import type { Emit, PkceEvent } from "./events.js"

/** Calls a function of the team's: what it throws or rejects with must neither fail a request nor end the process. */
export function callHook<T>(hook: (value: T) => unknown, value: T): void {
  try {
    const result = hook(value)
    if (result instanceof Promise) result.catch(() => undefined)
  } catch {
    // Nobody is left to tell.
  }
}

/** Adds the time. */
export const createEmit =
  (onEvent: (event: PkceEvent) => void): Emit =>
  (event) =>
    callHook(onEvent, { at: Math.floor(Date.now() / 1000), ...event } as PkceEvent)
