import type { PkceEventInput } from "../events.js"
import { ATTRIBUTES, type HostedStep, SPANS } from "./names.js"
import type { Ending, Observer } from "./observe.js"
import type { HostedResult, TelemetryAttributes } from "./types.js"
import { failedEnding } from "./use-cases.js"

/** The spans `pkce.hosted.start`, `.callback`, `.redeem` and `.poll`. */
export const observedHosted =
  <Input extends unknown[], Result extends HostedResult>(
    step: HostedStep,
    work: (...input: Input) => Promise<Result>,
    { observe }: Observer,
  ) =>
  (...input: Input): Promise<Result> =>
    observe(
      {
        span: `${SPANS.hosted}.${step}`,
        kind: 0,
        attributes: { [ATTRIBUTES.hostedStep]: step },
        duration: "pkce.hosted.duration",
        end(settled, events) {
          const ending = "thrown" in settled ? failedEnding(settled) : endingOf(settled.value, events)
          return { ...ending, details: { ...toldIn(events ?? []), ...ending.details } }
        },
      },
      () => work(...input),
    )

function endingOf(result: HostedResult, events: readonly PkceEventInput[] | null): Ending {
  if ("session_id" in result) {
    const began = events?.some(({ type }) => type === "auth.exchange.succeeded")
    const details = { [ATTRIBUTES.sessionId]: result.session_id }
    return {
      attributes: { [ATTRIBUTES.outcome]: "ok" },
      details: { ...details, ...(began !== undefined && { [ATTRIBUTES.repeat]: !began }) },
    }
  }
  const { error } = ("answer" in result && result.answer ? result.answer : {}) as { error?: unknown }
  // One of our own two words for it, never the provider's.
  if (typeof error === "string") return { attributes: { [ATTRIBUTES.outcome]: error }, error }
  return { attributes: { [ATTRIBUTES.outcome]: "status" in result ? "pending" : "ok" } }
}

/** The provider by the configuration, and why the login came to nothing. */
function toldIn(events: readonly PkceEventInput[]): TelemetryAttributes {
  const details: TelemetryAttributes = {}
  for (const event of events) {
    if (event.provider !== undefined) details[ATTRIBUTES.provider] = event.provider
    if (event.type !== "auth.hosted.failed") continue
    if (event.error_id !== undefined) details[ATTRIBUTES.errorId] = event.error_id
    if (event.reason !== undefined) details[ATTRIBUTES.reason] = event.reason
  }
  return details
}
