import type { HttpClient } from "../runtime/http.js"
import { isPlainJwt, parseCompact } from "./compact-jwt.js"
import { badStatus, failed, refused, unanswered } from "./failures.js"
import { type SignaturePolicy, verifySignature } from "./signature.js"
import { type JsonObject, parseObject } from "./strict-json.js"

const DEADLINE = 4_000
const MAX_BYTES = 1024 * 1024

export interface UserinfoPolicy extends SignaturePolicy {
  issuer: string
  clientId: string
}

/**
 * Asks userinfo (OpenID Connect Core section 5.3): plain JSON, or a signed JWT, which is then verified like an ID token.
 * E15: an answer about anyone but `subject` refuses the whole login. Throws `ProviderError`, always spent.
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
  if ("failure" in answer) throw unanswered(answer, true)
  if (answer.status !== 200) throw badStatus(answer.status, answer.header("retry-after"), true)
  const signed = /^application\/jwt\b/i.test(answer.header("content-type") ?? "")
  const claims = signed ? await verified(answer.body, policy) : parseObject(answer.body)
  if (!claims) throw failed("idp_bad_response", "malformed", true)
  if (claims.sub !== subject) throw refused("userinfo_sub_mismatch")
  return claims
}

async function verified(body: Uint8Array, policy: UserinfoPolicy): Promise<JsonObject> {
  const token = new TextDecoder().decode(body).trim()
  const jwt = parseCompact(token)
  if (!jwt || !isPlainJwt(jwt.header)) throw refused("userinfo_signature_invalid")
  await verifySignature(token, jwt, policy, "userinfo_signature_invalid")
  const { iss, aud, events } = jwt.claims
  const forUs = Array.isArray(aud) ? aud.includes(policy.clientId) : aud === policy.clientId
  if (iss !== policy.issuer || !forUs || events !== undefined) throw refused("userinfo_signature_invalid")
  return jwt.claims
}
