import type { PkceEventInput } from "../events.js"
import type { Instruments } from "./instruments.js"
import { ATTRIBUTES } from "./names.js"
import type { TelemetryAttributes } from "./types.js"

const LOGINS: Partial<Record<PkceEventInput["type"], string>> = {
  "auth.exchange.succeeded": "succeeded",
  "auth.exchange.failed": "failed",
  "auth.exchange.code_replay": "code_replay",
  "auth.hosted.failed": "failed",
}

/** Why we end sessions. The team may give `sessions.revoke` any text. */
const OUR_REVOCATIONS = new Set([
  "administrator",
  "backchannel_logout",
  "handoff_replay",
  "identity_changed",
  "logout",
  "provider_grant_revoked",
  "reuse",
  "user",
])
/** More than there are reasons. A series of metrics that grows without end is an outage of its own. */
const MAX_REASONS = 200

/** Counts events. Ids, users and fingerprints get into no metric. */
export function createCounts({ count }: Instruments): (event: PkceEventInput) => void {
  const reasons = new Set<string>()

  function reasonOf({ type, reason }: PkceEventInput): string | undefined {
    if (reason === undefined) return undefined
    if (type === "session.revoked") return OUR_REVOCATIONS.has(reason) ? reason : "other"
    // `exception at <place>`: the place is for the event.
    const [name = ""] = reason.split(" ")
    if (!/^[a-z][a-z0-9_]{0,63}$/.test(name)) return "other"
    if (reasons.size < MAX_REASONS) reasons.add(name)
    return reasons.has(name) ? name : "other"
  }

  return (event) => {
    const reason = reasonOf(event)
    count("pkce.events", {
      [ATTRIBUTES.eventType]: event.type,
      ...(reason !== undefined && { [ATTRIBUTES.reason]: reason }),
    })
    const provider: TelemetryAttributes =
      event.provider === undefined ? {} : { [ATTRIBUTES.provider]: event.provider }
    const login = LOGINS[event.type]
    if (login !== undefined) count("pkce.logins", { ...provider, [ATTRIBUTES.outcome]: login })
    if (event.type === "session.refreshed")
      count("pkce.refreshes", {
        ...provider,
        [ATTRIBUTES.repeat]: event.repeat,
        [ATTRIBUTES.forward]: event.forward,
      })
    if (event.type === "session.reuse_detected") count("pkce.reuse_detected", {})
    if (event.type === "store.failed") count("pkce.store.failures", {})
  }
}
