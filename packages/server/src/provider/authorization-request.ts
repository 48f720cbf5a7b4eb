import { toBase64url } from "@pkce/protocol"
import { importJWK, SignJWT } from "jose"
import { randomBytes } from "#crypto"
import type { ProviderConfig } from "../config/config.js"
import type { ProviderMetadata } from "../config/options.js"
import type { HttpClient } from "../runtime/http.js"
import type { ClientAuthenticator } from "./client-authentication.js"
import { badStatus, failed, unanswered } from "./failures.js"
import { postForm } from "./form-post.js"
import { parseObject } from "./strict-json.js"
import type { AuthorizationInput } from "./types.js"

/** Milliseconds for the push. */
const DEADLINE = 8_000
/** Seconds in which the browser must bring a signed request: it is sent there at once. */
const SIGNED_LIFETIME = 300

export type AuthorizationEntry = Pick<
  ProviderConfig,
  "clientId" | "issuer" | "scope" | "authorizationParams" | "privateKey" | "signedRequests"
>

export interface AuthorizationDependencies {
  http: HttpClient
  metadata: ProviderMetadata
  authenticate: ClientAuthenticator
  entry: AuthorizationEntry
  /** Seconds since the epoch. */
  now: number
}

/**
 * The URL that takes the browser to the provider (RFC 6749 section 4.1.1, RFC 7636 section 4.3): with the parameters in it, or
 * as one signed parameter (RFC 9101), or as the name of what was pushed to the provider (RFC 9126), where it offers that.
 * Throws `ProviderError`; nothing is spent.
 */
export async function authorizationUrl(
  deps: AuthorizationDependencies,
  input: AuthorizationInput,
): Promise<string> {
  const { metadata, entry } = deps
  const { clientId: client_id, scope } = entry
  const all = parametersOf(entry, input)
  const sent = entry.signedRequests ? { client_id, request: await signed(deps, all) } : all
  const endpoint = metadata.pushed_authorization_request_endpoint
  if (endpoint !== undefined) {
    return urlOf(metadata, { client_id, request_uri: await push(deps, endpoint, sent) })
  }
  // OpenID Connect Core section 6.1 wants these two in the open beside a signed request.
  return urlOf(metadata, entry.signedRequests ? { ...sent, response_type: "code", scope } : sent)
}

function parametersOf(entry: AuthorizationEntry, input: AuthorizationInput): Record<string, string> {
  const { loginHint, uiLocales } = input
  return {
    ...(loginHint !== undefined && { login_hint: loginHint }),
    ...(uiLocales !== undefined && { ui_locales: uiLocales }),
    // What the team has fixed is no app's to change (A5).
    ...entry.authorizationParams,
    client_id: entry.clientId,
    response_type: "code",
    redirect_uri: input.redirectUri,
    scope: entry.scope,
    state: input.state,
    nonce: input.nonce,
    code_challenge: input.codeChallenge,
    code_challenge_method: "S256",
  }
}

function urlOf(metadata: ProviderMetadata, parameters: Record<string, string>): string {
  const url = new URL(metadata.authorization_endpoint)
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url.href
}

async function push(
  { http, authenticate, metadata, now }: AuthorizationDependencies,
  endpoint: string,
  parameters: Record<string, string>,
): Promise<string> {
  const credentials = await authenticate(metadata, now, endpoint)
  const answer = await postForm(http, endpoint, credentials, parameters, DEADLINE)
  if ("failure" in answer) throw unanswered(answer, false)
  const { status, body } = answer
  const document = parseObject(body)
  const uri = document?.request_uri
  // RFC 9126 section 2.2 says 201.
  if ((status === 201 || status === 200) && typeof uri === "string" && uri !== "") return uri
  const error = document?.error
  if (error === "invalid_client" || status === 401) throw failed("idp_misconfigured", "invalid_client", false)
  if (error !== undefined && status < 500) throw failed("idp_misconfigured", "pushed_request_rejected", false)
  throw badStatus(status, answer.header("retry-after"), false)
}

async function signed(
  { entry, now }: AuthorizationDependencies,
  parameters: Record<string, string>,
): Promise<string> {
  const { privateKey, clientId, issuer } = entry
  const issuedAt = Math.floor(now)
  try {
    if (!privateKey) throw new Error()
    const { alg, kid } = privateKey
    return await new SignJWT(parameters)
      .setProtectedHeader({
        alg: String(alg),
        typ: "oauth-authz-req+jwt",
        ...(kid !== undefined && { kid: String(kid) }),
      })
      .setIssuer(clientId)
      .setAudience(issuer)
      .setJti(toBase64url(randomBytes(16)))
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + SIGNED_LIFETIME)
      .sign(await importJWK(privateKey))
  } catch {
    // The cause is dropped: it may quote the key.
    throw failed("idp_misconfigured", "client_key_unusable", false)
  }
}
