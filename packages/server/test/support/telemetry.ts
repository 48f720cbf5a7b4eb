import * as api from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics"
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base"
import { call, type Fixture, parsed, random, s256, wire } from "./server.js"

export interface Point {
  name: string
  attributes: api.Attributes
  /** Of a counter its value, of a histogram the number of its records. */
  value: number
}

export interface Recorder {
  /** Spans that have ended. */
  spans(): ReadableSpan[]
  /** What was measured since the last look. */
  points(): Promise<Point[]>
  /** Everything that would be exported now, as text. */
  text(): Promise<string>
  forget(): Promise<void>
  close(): Promise<void>
}

/** Registers OpenTelemetry's own SDK, with exporters that keep what they get. */
export function startRecorder(): Recorder {
  const spanExporter = new InMemorySpanExporter()
  const tracing = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spanExporter)] })
  const metricExporter = new InMemoryMetricExporter(AggregationTemporality.DELTA)
  const metering = new MeterProvider({
    readers: [
      new PeriodicExportingMetricReader({ exporter: metricExporter, exportIntervalMillis: 3_600_000 }),
    ],
  })
  api.context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  api.trace.setGlobalTracerProvider(tracing)
  api.metrics.setGlobalMeterProvider(metering)

  async function exported() {
    await metering.forceFlush()
    const metrics = metricExporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics)
    metricExporter.reset()
    return metrics
  }

  return {
    spans: () => spanExporter.getFinishedSpans(),
    async points() {
      return (await exported())
        .flatMap(({ metrics }) => metrics)
        .flatMap(({ descriptor, dataPoints }) =>
          dataPoints.map(({ attributes, value }) => ({
            name: descriptor.name,
            attributes,
            value: typeof value === "number" ? value : (value as { count: number }).count,
          })),
        )
    },
    async text() {
      const spans = spanExporter.getFinishedSpans().map((span) => ({
        name: span.name,
        status: span.status,
        attributes: span.attributes,
        events: span.events,
        links: span.links,
        resource: span.resource.attributes,
        scope: span.instrumentationScope,
        traceState: span.spanContext().traceState?.serialize(),
      }))
      return JSON.stringify([spans, await exported()])
    },
    async forget() {
      spanExporter.reset()
      await exported()
    },
    async close() {
      api.context.disable()
      api.trace.disable()
      api.metrics.disable()
      await tracing.shutdown()
      await metering.shutdown()
    },
  }
}

/** A login by the wire, with what the app keeps of it. */
export async function loginAt(fixture: Fixture) {
  const made = fixture.login()
  const answer = parsed(await call(fixture.auth, { path: "/exchange", body: wire(made) }))
  return { ...answer, made, verifier: made.verifier }
}

export const refreshOf = (
  { refresh_token, verifier }: Awaited<ReturnType<typeof loginAt>>,
  next = random(),
) => ({
  refresh_token: String(refresh_token),
  session_verifier: verifier,
  session_challenge: s256(next),
})
