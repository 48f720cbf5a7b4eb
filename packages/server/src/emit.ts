import type { Emit, PkceEvent } from "./events.js"

/** Adds the time. The receiver is the team's code: what it throws must not fail a login. */
export const createEmit =
  (onEvent: (event: PkceEvent) => void): Emit =>
  (event) => {
    try {
      const result: unknown = onEvent({ at: Math.floor(Date.now() / 1000), ...event } as PkceEvent)
      if (result instanceof Promise) result.catch(() => undefined)
    } catch {
      // Nobody is left to tell.
    }
  }
