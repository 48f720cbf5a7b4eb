const BURST = 3
const REFILL = 30

/**
 * D5: three refetches at once, then one per 30 s. A flat pause after each would refuse the honest login that comes
 * right after a key rotation; no limit would let a stranger's made-up key ids call the provider for us.
 */
export function createRefetchBudget(now: () => number): () => boolean {
  let tokens = BURST
  let at = now()
  return () => {
    const time = now()
    tokens = Math.min(BURST, tokens + Math.max(0, time - at) / REFILL)
    at = time
    if (tokens < 1) return false
    tokens--
    return true
  }
}
