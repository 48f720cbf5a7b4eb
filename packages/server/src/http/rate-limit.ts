import { PkceError } from "../errors.js"
import { addressPrefix } from "./address.js"

/**
 * C13: one token bucket per address prefix, in this process, that failures empty. Successes are free, because a carrier
 * hides thousands of phones behind one address.
 */
export interface RateLimit {
  /** Throws `rate_limited` while the bucket of this address is empty; asked before any work. */
  check(address: string | undefined): void
  /** Counts one failure. */
  failed(address: string | undefined): void
}

interface Bucket {
  tokens: number
  /** Milliseconds of `now` at which `tokens` was right. */
  at: number
}

const MAX_BUCKETS = 10_000

/** `now` in milliseconds, from a clock that never goes back. */
export function createRateLimit(
  options: { perMinute: number; burst: number } | null,
  now: () => number = () => performance.now(),
): RateLimit {
  if (options === null) return { check: () => undefined, failed: () => undefined }
  const { perMinute, burst } = options
  const perMillisecond = perMinute / 60_000
  // A Map keeps the order of insertion: the first key is the one that failed longest ago.
  const buckets = new Map<string, Bucket>()

  const level = ({ tokens, at }: Bucket) => Math.min(burst, tokens + (now() - at) * perMillisecond)

  return {
    check(address) {
      const prefix = addressPrefix(address)
      const bucket = prefix === null ? undefined : buckets.get(prefix)
      if (!bucket) return
      const tokens = level(bucket)
      if (tokens >= 1) return
      throw new PkceError("rate_limited", {
        retryAfter: Math.max(1, Math.ceil((1 - tokens) / perMillisecond / 1000)),
      })
    },
    failed(address) {
      const prefix = addressPrefix(address)
      if (prefix === null) return
      const bucket = buckets.get(prefix)
      const tokens = Math.max(0, (bucket ? level(bucket) : burst) - 1)
      buckets.delete(prefix)
      buckets.set(prefix, { tokens, at: now() })
      // G11: bounded; the address that failed longest ago has the fullest bucket and loses least.
      if (buckets.size > MAX_BUCKETS) {
        const [oldest] = buckets.keys()
        if (oldest !== undefined) buckets.delete(oldest)
      }
    },
  }
}
