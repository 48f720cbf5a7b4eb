import type { PkceEventInput } from "../events.js"
import type { Instruments } from "./instruments.js"
import { ATTRIBUTES, type HistogramName, SCOPE } from "./names.js"
import { quietly } from "./quietly.js"
import type { OpenTelemetry, TelemetryAttributes, TelemetrySpan } from "./types.js"

export type Settled<T> = { value: T } | { thrown: unknown }

export interface Ending {
  /** For the span and the histogram: bounded in number. */
  attributes: TelemetryAttributes
  /** For the span alone. */
  details?: TelemetryAttributes
  /** `error.type`; the span's status is then ERROR. A code, never a message or a stack, which may quote a value. */
  error?: string
}

export interface Observation<T> {
  span: string
  kind: 0 | 2
  /** Known from the start, where a sampler sees them: for the span and the histogram. */
  attributes: TelemetryAttributes
  /** The same, for the span alone. */
  details?: TelemetryAttributes
  /** The histogram of its duration. */
  duration: HistogramName
  /** @param events what was told meanwhile; `null` where nobody can know, for want of a context manager */
  end(settled: Settled<T>, events: readonly PkceEventInput[] | null): Ending
}

export interface Observer {
  /** Runs `work` once, whatever the telemetry does, in a span that is the parent of all that begins in it. */
  observe<T>(observation: Observation<T>, work: () => Promise<T>): Promise<T>
  /** Hands an event to the span in which it is told, where that is one of ours. */
  tell(event: PkceEventInput): void
}

const ERROR = 2

export function createObserver(api: OpenTelemetry, instruments: Instruments): Observer {
  const tracer = api.trace.getTracer(SCOPE)
  // Under the span, so that of two requests at once each finds its own.
  const told = new WeakMap<TelemetrySpan, PkceEventInput[]>()

  function inSpan<T>(observation: Observation<T>, work: (span?: TelemetrySpan) => Promise<T>): Promise<T> {
    const { span: name, kind, attributes, details } = observation
    let begun: Promise<T> | undefined
    quietly(() =>
      tracer.startActiveSpan(name, { kind, attributes: { ...attributes, ...details } }, (span) => {
        begun = work(span)
      }),
    )
    return begun ?? work()
  }

  return {
    observe: (observation, work) =>
      inSpan(observation, async (span) => {
        const began = performance.now()
        const active = span && quietly(() => api.trace.getActiveSpan())
        const events: PkceEventInput[] | null = span && active === span ? [] : null
        if (span && events) told.set(span, events)
        const settle = (settled: Parameters<typeof observation.end>[0]) => {
          const ending = quietly(() => observation.end(settled, events))
          finish(observation, ending, (performance.now() - began) / 1000, span)
        }
        try {
          const value = await work()
          settle({ value })
          return value
        } catch (thrown) {
          settle({ thrown })
          throw thrown
        }
      }),

    tell(event) {
      const span = quietly(() => api.trace.getActiveSpan())
      if (span) told.get(span)?.push(event)
    },
  }

  function finish<T>(
    { duration, attributes }: Observation<T>,
    ending: Ending | undefined,
    seconds: number,
    span: TelemetrySpan | undefined,
  ): void {
    const error = ending?.error
    const bounded = { ...ending?.attributes, ...(error !== undefined && { [ATTRIBUTES.errorType]: error }) }
    // While the span is active, so that an exemplar can point at it.
    instruments.record(duration, seconds, { ...attributes, ...bounded })
    if (!span) return
    quietly(() => {
      span.setAttributes({ ...bounded, ...ending?.details })
      if (error !== undefined) span.setStatus({ code: ERROR, message: error })
    })
    quietly(() => span.end())
  }
}
