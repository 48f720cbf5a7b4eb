import type { Emit } from "../events.js"

/** Failures in a row after which the provider is left alone. */
const FAILURES = 5
/** Seconds that it is left alone the first time, and at most. */
const PAUSE = { first: 5, longest: 300 }

/**
 * Circuit breakers, one for each issuer (D12): a provider that fails again and again is not asked to refresh for a while,
 * then by one request, and by all once that has succeeded. Of this process alone; logins never ask it.
 */
export function createBreakers(emit: Emit, now: () => number) {
  const circuits = new Map<string, { failures: number; openUntil: number; probing: boolean }>()

  function circuitOf(issuer: string) {
    const known = circuits.get(issuer)
    if (known) return known
    const fresh = { failures: 0, openUntil: 0, probing: false }
    circuits.set(issuer, fresh)
    return fresh
  }

  return {
    /** Seconds to wait before the issuer may be asked; 0 for now, and then the caller must tell how it went. */
    wait(issuer: string): number {
      const circuit = circuitOf(issuer)
      if (circuit.failures < FAILURES) return 0
      const left = circuit.openUntil - now()
      if (left > 0) return Math.ceil(left)
      if (circuit.probing) return 1
      circuit.probing = true
      return 0
    },

    succeeded(issuer: string, provider: string): void {
      const circuit = circuitOf(issuer)
      if (circuit.failures >= FAILURES) emit({ type: "idp.circuit.closed", provider })
      Object.assign(circuit, { failures: 0, openUntil: 0, probing: false })
    },

    /** `retryAfter` in seconds, where the provider named it. */
    failed(issuer: string, provider: string, retryAfter = 0): void {
      const circuit = circuitOf(issuer)
      // What was under way when it opened says nothing new.
      if (circuit.openUntil > now()) return
      circuit.failures++
      circuit.probing = false
      if (circuit.failures < FAILURES && retryAfter === 0) return
      circuit.failures = Math.max(circuit.failures, FAILURES)
      const doubled = Math.min(PAUSE.first * 2 ** (circuit.failures - FAILURES), PAUSE.longest)
      const seconds = Math.max(retryAfter, doubled * (0.5 + Math.random() / 2))
      circuit.openUntil = now() + seconds
      emit({ type: "idp.circuit.opened", provider, seconds: Math.ceil(seconds) })
    },

    /** The request was not made after all. */
    unused(issuer: string): void {
      circuitOf(issuer).probing = false
    },
  }
}
