import type { Grant } from "@pkce/protocol"
import { PkceError } from "../errors.js"
import { ATTRIBUTES, SPANS } from "./names.js"
import type { Ending, Observer, Settled } from "./observe.js"
import type { ProviderNames, TelemetryAttributes } from "./types.js"

/** The span `pkce.exchange`, around what stands behind the wire and behind the function of the server object alike. */
export const observedExchange =
  <Input extends { provider?: string }, Caller>(
    exchange: (input: Input, caller: Caller) => Promise<Grant>,
    providers: ProviderNames,
    { observe }: Observer,
  ) =>
  (input: Input, caller: Caller): Promise<Grant> =>
    observe(
      {
        span: SPANS.exchange,
        kind: 0,
        attributes: providerOf(input, providers),
        duration: "pkce.exchange.duration",
        end(settled, events) {
          // A session is told of when it begins, and never again.
          const began = events?.some(({ type }) => type === "auth.exchange.succeeded")
          return endingOf(settled, began === undefined ? {} : { [ATTRIBUTES.repeat]: !began })
        },
      },
      () => exchange(input, caller),
    )

/** The span `pkce.refresh`. */
export const observedRefresh =
  <Input, Caller>(refresh: (input: Input, caller: Caller) => Promise<Grant>, { observe }: Observer) =>
  (input: Input, caller: Caller): Promise<Grant> =>
    observe(
      {
        span: SPANS.refresh,
        kind: 0,
        attributes: {},
        duration: "pkce.refresh.duration",
        end(settled, events) {
          const details: TelemetryAttributes = {}
          for (const event of events ?? []) {
            if (event.type !== "session.refreshed" && event.type !== "session.reuse_detected") continue
            if (event.session_id !== undefined) details[ATTRIBUTES.sessionId] = event.session_id
            if (event.provider !== undefined) details[ATTRIBUTES.provider] = event.provider
            if (event.type !== "session.refreshed") continue
            details[ATTRIBUTES.repeat] = event.repeat
            details[ATTRIBUTES.forward] = event.forward
          }
          const ending = endingOf(settled, {})
          return { ...ending, details: { ...details, ...ending.details } }
        },
      },
      () => refresh(input, caller),
    )

/** By the configuration: what a client sends as a provider's name gets nowhere (C6). */
function providerOf(input: { provider?: string }, providers: ProviderNames): TelemetryAttributes {
  const [only, another] = providers.list
  const provider = input.provider === undefined ? (another ? undefined : only) : providers.get(input.provider)
  return provider ? { [ATTRIBUTES.provider]: provider.id } : {}
}

function endingOf(settled: Settled<Grant>, ofGrant: TelemetryAttributes): Ending {
  if ("value" in settled)
    return {
      attributes: { [ATTRIBUTES.outcome]: "ok" },
      details: { [ATTRIBUTES.sessionId]: settled.value.session_id, ...ofGrant },
    }
  return failedEnding(settled)
}

/** By the code alone. */
export function failedEnding({ thrown }: { thrown: unknown }): Ending {
  // The router makes 500 `internal` of it.
  if (!(thrown instanceof PkceError))
    return { attributes: { [ATTRIBUTES.outcome]: "internal" }, error: "internal" }
  const { code, errorId, reason } = thrown
  return {
    attributes: { [ATTRIBUTES.outcome]: code },
    details: {
      [ATTRIBUTES.errorId]: errorId,
      ...(reason !== undefined && { [ATTRIBUTES.reason]: reason }),
    },
    error: code,
  }
}
