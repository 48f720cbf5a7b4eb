import type { IncomingAnswer } from "../runtime/http.js"
import { badStatus, failed, refused } from "./failures.js"
import { type JsonObject, parseObject } from "./strict-json.js"
import type { ProviderTokens } from "./types.js"

const MAX_LIFETIME = 30 * 86_400

/** Everything of a token answer but the ID token's validity. */
export type TokenAnswer = Omit<ProviderTokens, "id_token"> & { id_token: unknown }

/**
 * Reads the answer to a code or a refresh token (RFC 6749 sections 5.1 and 5.2). D9: an `error` is an error under any status and any
 * content type, and what cannot be read strictly is nothing. Throws `ProviderError`, always spent. `now` in seconds.
 */
export function readTokenAnswer(answer: IncomingAnswer, now: number): TokenAnswer {
  const document = answer.body.length > 0 ? parseObject(answer.body) : null
  const error = document?.error
  if (error !== undefined && error !== null) throw tokenError(error, answer)
  if (answer.status !== 200 && answer.status !== 201) throw statusError(answer)
  if (!document) throw failed("idp_bad_response", "token_answer_malformed", true)
  return readTokens(document, now)
}

function tokenError(error: unknown, answer: IncomingAnswer) {
  if (error === "invalid_grant") return refused("invalid_grant")
  if (error === "invalid_client" || error === "unauthorized_client" || answer.status === 401)
    return failed("idp_misconfigured", "invalid_client", true)
  if (error === "temporarily_unavailable" || answer.status === 429 || answer.status >= 500)
    return failed("idp_unavailable", answer.status === 429 ? "rate_limited" : "http_status", true)
  return failed("idp_bad_response", "token_request_rejected", true)
}

/** No `error` to go by. Some providers refuse a code with a bare status. */
function statusError({ status, body, header }: IncomingAnswer) {
  if (body.length === 0 && (status === 400 || status === 403)) return refused("token_request_refused")
  if (status === 401) return failed("idp_misconfigured", "invalid_client", true)
  return badStatus(status, header("retry-after"), true)
}

function readTokens(document: JsonObject, now: number): TokenAnswer {
  const accessToken = textOf(document.access_token)
  const refreshToken = textOf(document.refresh_token)
  const scope = document.scope === "" ? undefined : textOf(document.scope)
  if (accessToken === undefined) throw failed("idp_bad_response", "token_answer_malformed", true)
  const lifetime = lifetimeOf(document.expires_in)
  return {
    access_token: accessToken,
    token_type: tokenType(document.token_type),
    id_token: document.id_token,
    ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
    ...(scope === undefined ? {} : { scope }),
    ...(lifetime === undefined ? {} : { expires_at: Math.floor(now) + lifetime }),
  }
}

/** D10: `null` is a way of saying nothing; an empty string or another type is a way of saying something wrong. */
function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === "string" && value !== "") return value
  throw failed("idp_bad_response", "token_answer_malformed", true)
}

/** RFC 6749 section 5.1: the value is case-insensitive. */
function tokenType(value: unknown): string {
  const type = typeof value === "string" ? value.toLowerCase() : ""
  if (type === "bearer") return "Bearer"
  if (type === "dpop") return "DPoP"
  throw failed("idp_bad_response", "token_type_unsupported", true)
}

/** Whole seconds, at most 30 days; `undefined` where the provider says nothing that can be believed. */
function lifetimeOf(value: unknown): number | undefined {
  const seconds = typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value
  if (typeof seconds !== "number" || !(seconds > 0)) return undefined
  return Math.floor(Math.min(seconds, MAX_LIFETIME))
}
