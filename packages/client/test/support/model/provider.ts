import type { IncomingAnswer, OutgoingRequest, RuntimeHttp } from "../../../../server/src/runtime/http.js"
import { makeKey, signCompact } from "../../../../server/src/testing/provider-keys.js"
import { s256 } from "../../../../server/src/testing/provider-tokens.js"

export const ISSUER = "https://idp.example.com"
const CLIENT = { clientId: "test-client", clientSecret: "the-model-test-client-secret" }

/** Of `createPkceServer`. */
export const provider = { issuer: ISSUER, ...CLIENT }

const key = makeKey("RS256")
const granted = new Map<string, { nonce: string | null; sub: string; challenge: string | null }>()

const metadata = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/authorize`,
  token_endpoint: `${ISSUER}/token`,
  jwks_uri: `${ISSUER}/jwks`,
  response_types_supported: ["code"],
  subject_types_supported: ["public"],
  id_token_signing_alg_values_supported: ["RS256"],
  code_challenge_methods_supported: ["S256"],
  authorization_response_iss_parameter_supported: true,
}

/** The user logs in: the callback that their browser is sent to. */
export function authorize(url: string, sub: string, code: string): string {
  const { searchParams } = new URL(url)
  const [nonce, challenge] = [searchParams.get("nonce"), searchParams.get("code_challenge")]
  granted.set(code, { nonce, sub, challenge })
  return callback(url, { code })
}

/** The user says no. */
export const deny = (url: string): string => callback(url, { error: "access_denied" })

function callback(url: string, answer: Record<string, string>): string {
  const { searchParams } = new URL(url)
  const state = searchParams.get("state") ?? ""
  return `${searchParams.get("redirect_uri")}?${new URLSearchParams({ ...answer, state, iss: ISSUER })}`
}

function redeem(body: string) {
  const fields = new URLSearchParams(body)
  const code = fields.get("code") ?? ""
  const grant = granted.get(code)
  granted.delete(code)
  if (!grant || grant.challenge !== s256(fields.get("code_verifier") ?? "")) return { error: "invalid_grant" }
  const iat = Math.floor(Date.now() / 1000)
  const claims = {
    iss: ISSUER,
    sub: grant.sub,
    aud: CLIENT.clientId,
    iat,
    exp: iat + 3600,
    nonce: grant.nonce,
  }
  const id_token = signCompact({ alg: "RS256", kid: key.kid, typ: "JWT" }, claims, key.privateKey)
  return { access_token: `at-${code}`, token_type: "Bearer", expires_in: 3600, id_token }
}

async function send({ url, body = "" }: OutgoingRequest): Promise<IncomingAnswer> {
  const json = url.endsWith("/token")
    ? redeem(body)
    : url.endsWith("/jwks")
      ? { keys: [key.publicJwk] }
      : metadata
  return {
    status: "error" in json ? 400 : 200,
    header: (name) => (name === "content-type" ? "application/json" : undefined),
    body: new TextEncoder().encode(JSON.stringify(json)),
  }
}

/** In place of `#http`: the provider answers in this process, since a socket would bring real time into the run. */
export const createHttpClient: RuntimeHttp["createHttpClient"] = () => ({
  send,
  warm: () => {},
  close: async () => {},
})
