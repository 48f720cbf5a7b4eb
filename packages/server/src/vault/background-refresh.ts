import { PkceError } from "../errors.js"
import type { SessionRow, Store } from "../stores/contract.js"
import type { ProviderGrants } from "./provider-grants.js"

export interface RefreshDueOptions {
  /** Seconds: grants whose access token ends within this time are refreshed. Default 300. */
  within?: number
  /** Grants at most. Default 500. */
  limit?: number
  /** Refreshes under way at once. Default 8. */
  concurrency?: number
}

export interface RefreshDueReport {
  /** Grants that were due. */
  due: number
  refreshed: number
  /** Another worker had them. */
  elsewhere: number
  /** The provider could not be asked, or did not answer as it should; they are due again soon. */
  failed: number
  /** Grants that the provider has ended, or whose refresh token was lost. */
  ended: number
}

export interface BackgroundRefreshOptions extends RefreshDueOptions {
  /** Seconds between two looks, before jitter. Default 60. */
  every?: number
}

/**
 * Refreshes grants before somebody needs them, and so learns of users whom the provider has disabled. Any number of workers
 * may do so: the lease decides who refreshes what.
 */
export function createBackgroundRefresh(store: Store, grants: ProviderGrants) {
  const stops = new Set<() => Promise<void>>()

  async function refreshOne(row: SessionRow, now: number): Promise<keyof RefreshDueReport> {
    try {
      const { outcome } = await grants.refresh({ row, tokens: await grants.tokensOf(row), now }, {})
      return outcome
    } catch (thrown) {
      // One grant that cannot be opened, or a store that is away, must not keep the others waiting.
      if (thrown instanceof PkceError) return "failed"
      throw thrown
    }
  }

  async function refreshDue(options: RefreshDueOptions = {}): Promise<RefreshDueReport> {
    const { within = 300, limit = 500, concurrency = 8 } = options
    const { rows, now } = await store.due(within, limit)
    const report: RefreshDueReport = { due: rows.length, refreshed: 0, elsewhere: 0, failed: 0, ended: 0 }
    // From random places: workers that woke at the same moment then meet the fewest of each other's leases.
    const queue = shuffled(rows)
    const worker = async () => {
      for (let row = queue.pop(); row; row = queue.pop()) report[await refreshOne(row, now)]++
    }
    await Promise.all(Array.from({ length: Math.min(concurrency, rows.length) }, worker))
    return report
  }

  /** Looks for due grants from now on, until the function that it returns is called. A failure waits for the next look. */
  function start(options: BackgroundRefreshOptions = {}): () => Promise<void> {
    const { every = 60 } = options
    let timer: ReturnType<typeof setTimeout> | undefined
    let running: Promise<void> = Promise.resolve()
    let stopped = false

    const wait = () => {
      if (stopped) return
      timer = setTimeout(look, every * 1000 * (0.75 + Math.random() / 2))
      timer.unref?.()
    }
    const look = () => {
      running = refreshDue(options).then(
        () => undefined,
        () => undefined,
      )
      running.then(wait)
    }
    const stop = async () => {
      stopped = true
      clearTimeout(timer)
      stops.delete(stop)
      await running
    }
    stops.add(stop)
    look()
    return stop
  }

  return {
    refreshDue,
    start,
    close: async () => void (await Promise.all(Array.from(stops, (stop) => stop()))),
  }
}

function shuffled<T>(items: readonly T[]): T[] {
  const result = [...items]
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    ;[result[i], result[j]] = [result[j] as T, result[i] as T]
  }
  return result
}

export type BackgroundRefresh = ReturnType<typeof createBackgroundRefresh>
