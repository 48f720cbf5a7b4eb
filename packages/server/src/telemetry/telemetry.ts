import { createCounts } from "./counts.js"
import { observedHosted } from "./hosted.js"
import { observedHttp } from "./http.js"
import { createInstruments } from "./instruments.js"
import { createObserver } from "./observe.js"
import { quietly } from "./quietly.js"
import { observedStore } from "./store.js"
import type { OpenTelemetry, Telemetry } from "./types.js"
import { observedExchange, observedRefresh } from "./use-cases.js"

/** Nothing is wrapped: what was given is given back. */
export const noTelemetry: Telemetry = {
  emit: (emit) => emit,
  store: (store) => store,
  http: (http) => http,
  exchange: (exchange) => exchange,
  refresh: (refresh) => refresh,
  hosted: (_, work) => work,
}

/** Spans and metrics by the team's own `@opentelemetry/api`, which is passed in and never imported. */
export function createTelemetry(api: OpenTelemetry | null): Telemetry {
  if (api === null) return noTelemetry
  const instruments = createInstruments(api)
  const observer = createObserver(api, instruments)
  const countEvent = createCounts(instruments)
  return {
    emit: (emit) => (event) => {
      quietly(() => countEvent(event))
      observer.tell(event)
      emit(event)
    },
    store: (store) => observedStore(store, observer),
    http: (http) => observedHttp(http, observer, instruments),
    exchange: (exchange, providers) => observedExchange(exchange, providers, observer),
    refresh: (refresh) => observedRefresh(refresh, observer),
    hosted: (step, work) => observedHosted(step, work, observer),
  }
}
