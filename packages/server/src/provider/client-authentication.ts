import { toBase64url } from "@pkce/protocol"
import { importJWK, type JWK, SignJWT } from "jose"
import { randomBytes } from "#crypto"
import type { ProviderConfig } from "../config/config.js"
import type { ClientAuthenticationMethod, ProviderMetadata } from "../config/options.js"
import { failed } from "./failures.js"

const ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
const ASSERTION_LIFETIME = 60

/** Microsoft Entra ID and Okta take an assertion for the endpoint only that it is sent to. */
const WANTS_ENDPOINT = /^(login\.microsoftonline\.(com|us)|[a-z0-9-]+\.okta(preview)?\.com)$/

export interface ClientCredentials {
  headers: Record<string, string>
  fields: Record<string, string>
}

/** Authenticates one client. What does not change is made once. `endpoint`: by default the token endpoint. */
export type ClientAuthenticator = (
  metadata: ProviderMetadata,
  now: number,
  endpoint?: string,
) => Promise<ClientCredentials>

type Client = Pick<
  ProviderConfig,
  "clientId" | "clientSecret" | "privateKey" | "clientAuthentication" | "issuer"
>

/** The default of the `clientAuthentication` option. */
function defaultMethod(client: Client, metadata: ProviderMetadata): ClientAuthenticationMethod {
  if (client.privateKey) return "private_key_jwt"
  if (client.clientSecret === null) return "none"
  const offered = metadata.token_endpoint_auth_methods_supported
  return offered?.includes("client_secret_post") ? "client_secret_post" : "client_secret_basic"
}

/**
 * RFC 6749 section 2.3.1 with Appendix B. Half of the field compares the text as it came, so what needs no escape
 * (RFC 3986 unreserved) never gets one, and a space is "%20", which both kinds of decoder read.
 */
const formEncode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

export function createClientAuthenticator(client: Client): ClientAuthenticator {
  const { clientId } = client
  const secret = client.clientSecret ?? ""
  const basic = `${formEncode(clientId)}:${formEncode(secret)}`
  const fixed: Record<Exclude<ClientAuthenticationMethod, "private_key_jwt">, ClientCredentials> = {
    client_secret_basic: {
      headers: { authorization: `Basic ${btoa(basic)}` },
      fields: {},
    },
    client_secret_post: { headers: {}, fields: { client_id: clientId, client_secret: secret } },
    none: { headers: {}, fields: { client_id: clientId } },
  }
  const assertion = client.privateKey ? assertionSigner(client, client.privateKey) : undefined

  return async (metadata, now, endpoint = metadata.token_endpoint) => {
    const method = client.clientAuthentication ?? defaultMethod(client, metadata)
    if (method !== "private_key_jwt") return fixed[method]
    if (!assertion) throw failed("idp_misconfigured", "client_key_unusable", false)
    const fields = {
      client_id: clientId,
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: await assertion(endpoint, now),
    }
    return { headers: {}, fields }
  }
}

/**
 * RFC 7523 section 3. The audience is the issuer, as OAuth's later revisions have it: an audience that metadata could
 * name would let one provider collect assertions that another accepts.
 */
function assertionSigner({ clientId, issuer }: Client, privateKey: JWK) {
  const { alg, kid } = privateKey
  let key: ReturnType<typeof importJWK> | undefined
  return async (endpoint: string, now: number): Promise<string> => {
    const audience = WANTS_ENDPOINT.test(new URL(issuer).hostname) ? endpoint : issuer
    const issuedAt = Math.floor(now)
    try {
      key ??= importJWK(privateKey)
      return await new SignJWT({})
        .setProtectedHeader({ alg: alg ?? "", ...(kid ? { kid } : {}) })
        .setIssuer(clientId)
        .setSubject(clientId)
        .setAudience(audience)
        .setJti(toBase64url(randomBytes(16)))
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + ASSERTION_LIFETIME)
        .sign(await key)
    } catch {
      // The cause is dropped: it may quote the key.
      throw failed("idp_misconfigured", "client_key_unusable", false)
    }
  }
}
