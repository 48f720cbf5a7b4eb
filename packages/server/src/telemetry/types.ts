import type { Grant } from "@pkce/protocol"
import type { Emit } from "../events.js"
import type { HttpClient } from "../runtime/http.js"
import type { Store } from "../stores/contract.js"
import type { HostedStep } from "./names.js"

export type TelemetryAttributes = Record<string, string | number | boolean>

export interface TelemetrySpan {
  setAttributes(attributes: TelemetryAttributes): unknown
  setStatus(status: { code: 2; message?: string }): unknown
  end(): void
}

export interface TelemetrySpanOptions {
  /** `SpanKind`: 0 is INTERNAL, 2 is CLIENT. */
  kind: 0 | 2
  attributes: TelemetryAttributes
}

export interface TelemetryInstrumentOptions {
  description: string
  unit: string
  advice?: { explicitBucketBoundaries: number[] }
}

/**
 * The part of `@opentelemetry/api` (1.3 or later) that is used. The module itself fits.
 *
 * @example
 * ```ts
 * import * as api from "@opentelemetry/api"
 *
 * const auth = createPkceServer({ openTelemetry: api })
 * ```
 */
export interface OpenTelemetry {
  trace: {
    getTracer(name: string): {
      startActiveSpan(
        name: string,
        options: TelemetrySpanOptions,
        work: (span: TelemetrySpan) => unknown,
      ): unknown
    }
    getActiveSpan(): TelemetrySpan | undefined
  }
  metrics: {
    getMeter(name: string): {
      createCounter(
        name: string,
        options: TelemetryInstrumentOptions,
      ): { add(value: number, attributes: TelemetryAttributes): void }
      createHistogram(
        name: string,
        options: TelemetryInstrumentOptions,
      ): { record(value: number, attributes: TelemetryAttributes): void }
    }
  }
}

/** The providers of the configuration, of which only the names are wanted. */
export interface ProviderNames {
  readonly list: readonly { readonly id: string }[]
  get(id: string): { readonly id: string } | undefined
}

/** What the steps of a hosted login come to. */
export type HostedResult =
  | { login_id: string }
  | { session_id: string }
  | { status: "pending" }
  /** Of the callback: what the app is told. */
  | { leg: string; answer?: object }

/** A decorator for each place that is observed. Without telemetry each gives back what it was given. */
export interface Telemetry {
  emit(emit: Emit): Emit
  /** Takes the guarded store: a plain object of functions, whose failures are `PkceError("unavailable")`. */
  store(store: Store): Store
  http(http: HttpClient): HttpClient
  exchange<Input extends { provider?: string }, Caller>(
    exchange: (input: Input, caller: Caller) => Promise<Grant>,
    providers: ProviderNames,
  ): (input: Input, caller: Caller) => Promise<Grant>
  refresh<Input, Caller>(
    refresh: (input: Input, caller: Caller) => Promise<Grant>,
  ): (input: Input, caller: Caller) => Promise<Grant>
  hosted<Input extends unknown[], Result extends HostedResult>(
    step: HostedStep,
    work: (...input: Input) => Promise<Result>,
  ): (...input: Input) => Promise<Result>
}
