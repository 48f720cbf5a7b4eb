import type { ErrorAnswer } from "@pkce/protocol"
import { PkceError, type PkceErrorCode } from "../errors.js"
import type { Emit } from "../events.js"
import { json } from "./answer.js"
import type { HttpAnswer } from "./message.js"

/** Seconds to wait before a repeat, where the error itself does not say. */
const PAUSE: Partial<Record<PkceErrorCode, number>> = {
  exchange_in_progress: 1,
  unavailable: 1,
  idp_unavailable: 1,
  idp_misconfigured: 5,
  idp_timeout: 1,
  rate_limited: 6,
}

/** The one shape of every failure (GR1). Nothing of the input, of a provider's text or of a stack is in it. */
export function errorAnswer(error: PkceError): HttpAnswer {
  const retryAfter = error.retryAfter ?? PAUSE[error.code]
  const body: ErrorAnswer = {
    error: error.code,
    ...(error.description !== undefined && { error_description: error.description }),
    error_id: error.errorId,
    retryable: error.retryable,
    ...(retryAfter !== undefined && { retry_after: retryAfter }),
  }
  return json(error.status, body, {
    ...(retryAfter !== undefined && { "Retry-After": String(retryAfter) }),
    // RFC 9110 section 15.5.2 and RFC 6750 section 3: a 401 names the scheme; without any credential it names no error.
    ...(error.status === 401 && {
      "WWW-Authenticate": error.reason === NO_CREDENTIAL ? "Bearer" : 'Bearer error="invalid_token"',
    }),
  })
}

/** The `reason` of a 401 for a request that bore nothing at all. */
export const NO_CREDENTIAL = "no_credential"

/**
 * What the router answers for anything thrown. GR6: a sealed value that does not open and a key that is not there are our
 * outage, so 503. Everything unforeseen is 500, and says where in the code it happened to the event only.
 */
export function asPkceError(thrown: unknown): PkceError {
  if (thrown instanceof PkceError) {
    return thrown.code === "provider_grant_unreadable" || thrown.code === "reauthentication_required"
      ? new PkceError("unavailable", { reason: thrown.code })
      : thrown
  }
  return new PkceError("internal", { reason: `exception${placeOf(thrown)}` })
}

/** The first frame of the stack, without the message, which may quote a value (GR2). */
function placeOf(thrown: unknown): string {
  if (!(thrown instanceof Error) || typeof thrown.stack !== "string") return ""
  const frame = /\n\s+at [^\n]*?([^\s/\\(]+:\d+:\d+)\)?(?:\n|$)/.exec(thrown.stack.slice(0, 4096))
  return frame ? ` at ${frame[1]}` : ""
}

/** Tells the event's receiver why a request was refused, under the id that the client saw. */
export function emitRefusal(emit: Emit, error: PkceError): void {
  emit({
    type: "auth.request.refused",
    code: error.code,
    error_id: error.errorId,
    ...(error.reason !== undefined && { reason: error.reason }),
  })
}
