import { COUNTERS, type CounterName, HISTOGRAMS, type HistogramName, SCOPE } from "./names.js"
import { quietly } from "./quietly.js"
import type { OpenTelemetry, TelemetryAttributes } from "./types.js"

export interface Instruments {
  count(name: CounterName, attributes: TelemetryAttributes): void
  record(name: HistogramName, seconds: number, attributes: TelemetryAttributes): void
}

/** From half a millisecond (a store nearby) to the longest wait for another process's exchange. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/**
 * Each instrument is made at its first use: unlike a tracer, one that was made before the team's SDK was registered would
 * count into nothing for ever.
 */
export function createInstruments({ metrics }: OpenTelemetry): Instruments {
  const made = new Map<string, (value: number, attributes: TelemetryAttributes) => void>()

  function instrument(name: string, make: () => (value: number, attributes: TelemetryAttributes) => void) {
    const known = made.get(name) ?? make()
    made.set(name, known)
    return known
  }

  return {
    count(name, attributes) {
      quietly(() =>
        instrument(name, () => {
          const [unit, description] = COUNTERS[name]
          const counter = metrics.getMeter(SCOPE).createCounter(name, { unit, description })
          return (value, given) => counter.add(value, given)
        })(1, attributes),
      )
    },
    record(name, seconds, attributes) {
      quietly(() =>
        instrument(name, () => {
          const description = HISTOGRAMS[name]
          const options = { unit: "s", description, advice: { explicitBucketBoundaries: SECONDS } }
          const histogram = metrics.getMeter(SCOPE).createHistogram(name, options)
          return (value, given) => histogram.record(value, given)
        })(seconds, attributes),
      )
    },
  }
}
