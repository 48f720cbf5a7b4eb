import type { ServerErrorCode } from "@pkce/protocol"
import type { PkceEvent } from "../events.js"

// Fixed sentences: no value gets into a log.
const REASONS: Readonly<Record<string, string>> = {
  issuer_mismatch:
    "issuer is not the one that the provider's metadata names; copy it exactly, last slash and all",
  invalid_client: "the provider refuses the client; check clientId, clientSecret and clientAuthentication",
  invalid_grant: "the provider refused a code; app and backend need one client id, and a code works once",
  blocked_address: "the provider is at a private address; allowPrivateIdp admits it",
}

const OTHERS: Readonly<Partial<Record<ServerErrorCode | PkceEvent["type"], string>>> = {
  idp_unavailable: "the provider cannot be reached; check issuer, and the network",
  idp_timeout: "the provider is too slow",
  idp_misconfigured: "the provider's metadata, or the client there, does not fit the configuration",
  idp_bad_response: "the provider's answer is not what the standard says",
  redirect_uri_not_allowed: "an app sent a redirect URI that is not in redirectUris; compare byte for byte",
  login_failed: "a login was refused",
  exchange_interrupted: "a login broke off after the provider may have seen its code",
  internal: "an unforeseen error",
  "store.failed": "the store failed",
  "keyring.missing":
    "a token or a sealed value was made with a key that this process does not have; check secrets",
  "keyring.failed": "the key provider failed",
}

const SENTENCES = new Map(Object.entries({ ...REASONS, ...OTHERS }))

/**
 * Receives the events where the developer has named nothing that does: a wrong client secret must not be silent. Each
 * kind is told once, so that nobody fills a log from outside.
 */
export function adviseOnce(
  onWarning: (warning: string) => void,
  more = "onEvent receives every event",
): (event: PkceEvent) => void {
  const told = new Set<string>()
  return (event) => {
    const { reason = "" } = event
    const kind = [reason, "code" in event ? event.code : "", event.type].find((name) => SENTENCES.has(name))
    if (kind === undefined) return
    const detail = reason === "" || reason === kind ? "" : ` (${reason})`
    const sentence = `${SENTENCES.get(kind)}${detail}`
    if (told.has(sentence)) return
    told.add(sentence)
    onWarning(`${sentence}. Said once; ${more}`)
  }
}
