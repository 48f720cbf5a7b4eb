/** Also the name of the tracer and of the meter. */
export const SCOPE = "@pkce/server"

// docs/telemetry.md has every name of this file, and a test that holds it to that.

export const SPANS = {
  exchange: "pkce.exchange",
  refresh: "pkce.refresh",
  hosted: "pkce.hosted",
  store: "pkce.store",
} as const

/** Of a hosted login; each is a span of its own. */
export const HOSTED_STEPS = ["start", "callback", "redeem", "poll"] as const

/** Those of HTTP and `error.type` are OpenTelemetry's semantic conventions. */
export const ATTRIBUTES = {
  outcome: "pkce.outcome",
  provider: "pkce.provider",
  sessionId: "pkce.session_id",
  errorId: "pkce.error_id",
  reason: "pkce.reason",
  repeat: "pkce.repeat",
  forward: "pkce.forward",
  hostedStep: "pkce.hosted.step",
  eventType: "pkce.event.type",
  storeKind: "pkce.store.kind",
  storeOperation: "pkce.store.operation",
  errorType: "error.type",
  httpMethod: "http.request.method",
  httpStatus: "http.response.status_code",
  serverAddress: "server.address",
  serverPort: "server.port",
  urlScheme: "url.scheme",
  urlPath: "url.path",
} as const

export const COUNTERS = {
  "pkce.events": ["{event}", "Events, by type and reason"],
  "pkce.logins": ["{login}", "Sessions that began, and logins that were refused"],
  "pkce.refreshes": ["{refresh}", "Refreshes that were granted"],
  "pkce.reuse_detected": ["{session}", "Sessions that were ended because two parties used one credential"],
  "pkce.provider.failures": ["{request}", "Requests to providers without an answer, or answered 429 or 5xx"],
  "pkce.store.failures": ["{operation}", "Store operations that failed or were not answered in time"],
} as const

export const HISTOGRAMS = {
  "pkce.exchange.duration": "Duration of exchanges",
  "pkce.refresh.duration": "Duration of refreshes",
  "pkce.hosted.duration": "Duration of the steps of hosted logins",
  "pkce.provider.duration": "Duration of requests to providers",
  "pkce.store.duration": "Duration of store operations",
} as const

export type CounterName = keyof typeof COUNTERS
export type HistogramName = keyof typeof HISTOGRAMS
export type HostedStep = (typeof HOSTED_STEPS)[number]
