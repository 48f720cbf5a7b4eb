import { generateKeyPairSync } from "node:crypto"
import { jwtVerify } from "jose"
import { expect, it } from "vitest"
import { failureOf } from "../../test/support/provider-room.js"
import type { HttpClient, HttpFailure, IncomingAnswer, OutgoingRequest } from "../runtime/http.js"
import { authorizationUrl } from "./authorization-request.js"

const issuer = "https://idp.example.com"
const input = { redirectUri: "https://api.example.com/cb", state: "s", nonce: "n", codeChallenge: "c" }
const metadata = {
  issuer,
  authorization_endpoint: `${issuer}/authorize?tenant=1&client_id=theirs`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/keys`,
}
/** The process's clock, which need not tell whole seconds. */
const NOW = 1_700_000_000.9
const entry = {
  clientId: "app",
  issuer,
  scope: "openid",
  authorizationParams: {},
  privateKey: null,
  signedRequests: false,
}

const parameters = {
  client_id: "app",
  response_type: "code",
  redirect_uri: input.redirectUri,
  scope: "openid",
  state: "s",
  nonce: "n",
  code_challenge: "c",
  code_challenge_method: "S256",
}

/** With a provider that answers a push like this. */
function ask(answer: IncomingAnswer | HttpFailure, more: object = {}, pushed = true, wanted: object = {}) {
  const sent: OutgoingRequest[] = []
  const authenticated: unknown[] = []
  const http: HttpClient = {
    async send(request) {
      sent.push(request)
      return answer
    },
    warm: () => undefined,
    close: async () => undefined,
  }
  const url = authorizationUrl(
    {
      http,
      metadata: pushed ? { ...metadata, pushed_authorization_request_endpoint: `${issuer}/par` } : metadata,
      authenticate: async (_, ...when) => {
        authenticated.push(when)
        return { headers: {}, fields: { client_id: "app", client_secret: "secret" } }
      },
      entry: { ...entry, ...more },
      now: NOW,
    },
    { ...input, ...wanted },
  )
  return { url, sent, authenticated }
}
const RESET: HttpFailure = { failure: "reset", sent: true }
const answered = (status: number, body: string, headers: Record<string, string> = {}): IncomingAnswer => ({
  status,
  body: new TextEncoder().encode(body) as never,
  header: (name) => headers[name],
})
const sentBy = (sent: OutgoingRequest[]) => Object.fromEntries(new URLSearchParams(String(sent[0]?.body)))

it.each([
  ["timeout", "idp_timeout"],
  ["blocked_address", "idp_misconfigured"],
  ["too_large", "idp_bad_response"],
  ["reset", "idp_unavailable"],
] as const)("a push that ends in %s is %s, is not repeated, and has spent nothing", async (failure, code) => {
  const { url, sent } = ask({ failure, sent: true })
  expect(await failureOf(url)).toEqual({ code, reason: failure, spent: false })
  expect(sent).toHaveLength(1)
  expect(sent[0]).toMatchObject({ method: "POST", url: `${issuer}/par`, deadline: 8_000 })
})

it("the endpoint's own query stays (RFC 6749 section 3.1)", async () => {
  const url = new URL(await ask(RESET, {}, false).url)
  expect(url.searchParams.get("tenant")).toBe("1")
  expect([...url.searchParams.keys()]).toHaveLength(9)
})

it("what is pushed has every parameter, and none of it is in the URL; 200 is taken as 201 is", async () => {
  for (const status of [200, 201]) {
    const { url, sent, authenticated } = ask(answered(status, `{"request_uri":"urn:x"}`))
    expect(await url).toBe(`${issuer}/authorize?tenant=1&client_id=app&request_uri=urn%3Ax`)
    expect(sentBy(sent)).toEqual({ ...parameters, client_secret: "secret" })
    expect(authenticated).toEqual([[NOW, `${issuer}/par`]])
  }
})

it.each([
  [201, `{"request_uri":""}`, "idp_bad_response", "http_status"],
  [201, `{"request_uri":["urn:x"]}`, "idp_bad_response", "http_status"],
  [201, "", "idp_bad_response", "http_status"],
  [202, `{"request_uri":"urn:x"}`, "idp_bad_response", "http_status"],
  [400, `{"error":"invalid_client"}`, "idp_misconfigured", "invalid_client"],
  [401, `{"error":"unauthorized"}`, "idp_misconfigured", "invalid_client"],
  [400, `{"error":"invalid_request"}`, "idp_misconfigured", "pushed_request_rejected"],
  [499, `{"error":"invalid_request"}`, "idp_misconfigured", "pushed_request_rejected"],
  [500, `{"error":"invalid_request"}`, "idp_unavailable", "http_status"],
  [400, "", "idp_bad_response", "http_status"],
] as const)(
  "a push that is answered %i %s is %s (%s), and has spent nothing",
  async (status, body, code, reason) => {
    expect(await failureOf(ask(answered(status, body)).url)).toEqual({ code, reason, spent: false })
  },
)

it("D12: a provider that wants a push later is heard", async () => {
  const { url } = ask(answered(503, "", { "retry-after": "7" }))
  await expect(url).rejects.toMatchObject({ code: "idp_unavailable", retryAfter: 7, retryable: true })
})

it("A5: each parameter is there once, whatever the endpoint says, and the app's wishes give way to what the team has fixed", async () => {
  const wanted = { loginHint: "ada", uiLocales: "de" }
  const query = async (more: object) =>
    [...new URL(await ask(RESET, more, false, wanted).url).searchParams].sort()
  const all = (more: object) => Object.entries({ ...parameters, ...more }).sort()
  expect(await query({})).toEqual(all({ tenant: "1", login_hint: "ada", ui_locales: "de" }))
  const authorizationParams = { login_hint: "fixed", acr_values: "0" }
  expect(await query({ authorizationParams })).toEqual(
    all({ tenant: "1", ui_locales: "de", ...authorizationParams }),
  )
})

it("no parameter of the team takes the place of one that the login needs", async () => {
  const names = ["client_id", "response_type", "redirect_uri", "scope", "state", "nonce", "code_challenge"]
  const authorizationParams = Object.fromEntries(
    [...names, "code_challenge_method"].map((name) => [name, "evil"]),
  )
  expect(await ask(RESET, { authorizationParams }, false).url).not.toContain("evil")
})

it("a key that does not sign is told as such, without a word of it", async () => {
  const { d: _, ...publicOnly } = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
    format: "jwk",
  })
  for (const privateKey of [null, { ...publicOnly, alg: "ES256" }, { kty: "EC", alg: "none" }]) {
    const { url, sent } = ask(RESET, { privateKey, signedRequests: true })
    expect(await failureOf(url)).toEqual({
      code: "idp_misconfigured",
      reason: "client_key_unusable",
      spent: false,
    })
    expect(sent).toEqual([])
  }
})

const signer = (namedCurve: string, more: object) => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve })
  const options = { privateKey: { ...privateKey.export({ format: "jwk" }), ...more }, signedRequests: true }
  return { options, publicKey }
}

it.each([
  ["P-256", { alg: "ES256" }],
  ["P-384", { alg: "ES384", kid: "k1" }],
])(
  "a signed request says who asks whom for all of it, once and for five minutes (%s)",
  async (curve, named) => {
    const { options, publicKey } = signer(curve, named)
    const jtis = new Set<unknown>()
    for (const _ of [1, 2]) {
      const url = new URL(await ask(RESET, options, false).url)
      const { request = "", ...beside } = Object.fromEntries(url.searchParams)
      expect(beside).toEqual({ tenant: "1", client_id: "app", response_type: "code", scope: "openid" })
      const currentDate = new Date(NOW * 1000)
      const { protectedHeader, payload } = await jwtVerify(request, publicKey, { currentDate })
      expect(protectedHeader).toEqual({ ...named, typ: "oauth-authz-req+jwt" })
      const { jti, ...claims } = payload
      expect(claims).toEqual({
        ...parameters,
        iss: "app",
        aud: issuer,
        iat: 1_700_000_000,
        exp: 1_700_000_300,
      })
      expect(jti).toMatch(/^[\w-]{22}$/)
      jtis.add(jti)
    }
    expect(jtis.size).toBe(2)
  },
)

it("a signed request that is pushed has nothing beside it but who asks", async () => {
  const { options } = signer("P-256", { alg: "ES256" })
  const { url, sent } = ask(answered(201, `{"request_uri":"urn:x"}`), options)
  expect(await url).toBe(`${issuer}/authorize?tenant=1&client_id=app&request_uri=urn%3Ax`)
  const { request, ...beside } = sentBy(sent)
  expect(request).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/)
  expect(beside).toEqual({ client_id: "app", client_secret: "secret" })
})
