import { generateKeyPairSync } from "node:crypto"
import { expect, it } from "vitest"
import { failureOf } from "../../test/support/provider-room.js"
import type { HttpClient, HttpFailure, IncomingAnswer, OutgoingRequest } from "../runtime/http.js"
import { authorizationUrl } from "./authorization-request.js"

const issuer = "https://idp.example.com"
const input = { redirectUri: "https://api.example.com/cb", state: "s", nonce: "n", codeChallenge: "c" }
const metadata = {
  issuer,
  authorization_endpoint: `${issuer}/authorize?tenant=1`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/keys`,
}
const entry = {
  clientId: "app",
  issuer,
  scope: "openid",
  authorizationParams: {},
  privateKey: null,
  signedRequests: false,
}

/** With a provider that answers a push like this. */
function ask(answer: IncomingAnswer | HttpFailure, more: object = {}, pushed = true) {
  const sent: OutgoingRequest[] = []
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
      authenticate: async () => ({ headers: {}, fields: { client_id: "app", client_secret: "secret" } }),
      entry: { ...entry, ...more },
      now: 1_700_000_000,
    },
    input,
  )
  return { url, sent }
}
const RESET: HttpFailure = { failure: "reset", sent: true }
const answered = (status: number, body: string): IncomingAnswer => ({
  status,
  body: new TextEncoder().encode(body) as never,
  header: () => undefined,
})

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
    const { url, sent } = ask(answered(status, `{"request_uri":"urn:x"}`))
    expect(await url).toBe(`${issuer}/authorize?tenant=1&client_id=app&request_uri=urn%3Ax`)
    expect(Object.fromEntries(new URLSearchParams(String(sent[0]?.body)))).toEqual({
      client_id: "app",
      client_secret: "secret",
      response_type: "code",
      redirect_uri: input.redirectUri,
      scope: "openid",
      state: "s",
      nonce: "n",
      code_challenge: "c",
      code_challenge_method: "S256",
    })
  }
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
