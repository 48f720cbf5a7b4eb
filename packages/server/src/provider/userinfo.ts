import { ProviderError } from "../errors.js"
import type { HttpClient } from "../runtime/http.js"
import { badStatus, failed, refused, restated, unanswered } from "./failures.js"
import { readSigned, type SignaturePolicy } from "./signature.js"
import { type JsonObject, parseObject } from "./strict-json.js"
import { audiencesOf } from "./token-rules.js"

const DEADLINE = 4_000
const MAX_BYTES = 1024 * 1024

export interface UserinfoPolicy extends SignaturePolicy {
  issuer: string
  clientId: string
}

/**
 * Asks userinfo (OpenID Connect Core section 5.3): plain JSON, or a signed JWT, which is then verified like an ID token.
 * E15: an answer about anyone but `subject` is `login_failed`. Throws `ProviderError`; it knows of no code to be spent.
 */
export async function fetchUserinfo(
  http: HttpClient,
  endpoint: string,
  accessToken: string,
  subject: string,
  policy: UserinfoPolicy,
): Promise<JsonObject> {
  const answer = await http.send({
    method: "GET",
    url: endpoint,
    headers: { authorization: `Bearer ${accessToken}`, accept: "application/json, application/jwt" },
    deadline: DEADLINE,
    maxBytes: MAX_BYTES,
  })
  if ("failure" in answer) throw unanswered(answer, false)
  // RFC 6750 section 3.1: the token has ended, which a refresh can mend.
  if (answer.status === 401) throw failed("idp_bad_response", "userinfo_unauthorized", false)
  if (answer.status !== 200) throw badStatus(answer.status, answer.header("retry-after"), false)
  const signed = /^application\/jwt\b/i.test(answer.header("content-type") ?? "")
  const claims = signed ? await verified(answer.body, policy) : parseObject(answer.body)
  if (!claims) throw failed("idp_bad_response", "malformed", false)
  if (claims.sub !== subject) throw refused("userinfo_sub_mismatch")
  return claims
}

async function verified(body: Uint8Array, policy: UserinfoPolicy): Promise<JsonObject> {
  const jwt = await readSigned(new TextDecoder().decode(body).trim(), policy)
  if (typeof jwt === "string") throw refused("userinfo_signature_invalid")
  const { iss, aud, events } = jwt.claims
  const forUs = audiencesOf(aud).includes(policy.clientId)
  if (iss !== policy.issuer || !forUs || events !== undefined) throw refused("userinfo_signature_invalid")
  return jwt.claims
}

/** For a user who has long been logged in: what refuses a login is then a bad answer, and nothing is spent. */
export function outsideLogin(error: unknown): unknown {
  if (!(error instanceof ProviderError)) return error
  const { code, reason, retryAfter } = error
  if (code !== "login_failed") return restated(error, false, retryAfter)
  return new ProviderError("idp_bad_response", false, reason === undefined ? {} : { reason })
}
