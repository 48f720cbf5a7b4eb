import { createHash, generateKeyPairSync, randomBytes } from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Provider as OidcProvider } from "oidc-provider"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import type { Config } from "../src/config/config.js"
import { createProviders } from "../src/provider/providers.js"
import { failureOf, providerEntry } from "./support/provider-room.js"

// node-oidc-provider, a certified implementation that shares no line with ours: what it accepts, others will.
const METHODS = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"] as const
const REDIRECT_URI = "com.example.app:/callback"
const SECRET = "a secret: with/every+kind=of&character%~ in it"

const pair = generateKeyPairSync("ec", { namedCurve: "P-256" })
const privateKey = { ...pair.privateKey.export({ format: "jwk" }), alg: "ES256", kid: "client-key" }
const publicKey = { ...pair.publicKey.export({ format: "jwk" }), alg: "ES256", kid: "client-key" }

const server = createServer((request, response) => handle(request, response))
let handle: Parameters<typeof createServer>[1] & object = () => {}
let issuer = ""

beforeAll(async () => {
  // It gives advice to those who run it in production.
  for (const method of ["info", "warn"] as const) vi.spyOn(console, method).mockImplementation(() => {})
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = new OidcProvider(issuer, {
    clients: METHODS.map((method) => ({
      client_id: method,
      application_type: "native",
      token_endpoint_auth_method: method,
      redirect_uris: [REDIRECT_URI],
      grant_types: ["authorization_code"],
      response_types: ["code"],
      ...(method.startsWith("client_secret") ? { client_secret: SECRET } : {}),
      ...(method === "private_key_jwt"
        ? { token_endpoint_auth_signing_alg: "ES256", jwks: { keys: [publicKey] } }
        : {}),
    })),
    clientAuthMethods: [...METHODS],
    jwks: {
      keys: [
        {
          ...generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" }),
          kid: "k1",
        },
      ],
    },
    cookies: { keys: ["test"] },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, accountId) => ({
      accountId,
      claims: () => ({ sub: accountId, email: "ada@example.com" }),
    }),
    claims: { email: ["email"] },
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({
        clientId: oidc.client?.clientId ?? "",
        accountId: oidc.session?.accountId ?? "",
      })
      grant.addOIDCScope("openid email")
      await grant.save()
      return grant
    },
  })
  const callback = provider.callback()
  handle = (request, response) => {
    if (!request.url?.startsWith("/interaction/")) return void callback(request, response)
    provider.interactionFinished(request, response, { login: { accountId: "ada" }, consent: {} })
  }
})

afterAll(() => {
  server.closeAllConnections()
  server.close()
})

/** What the browser does: follows the redirects, with cookies, to the app's own scheme. */
async function browse(authorizeUrl: string): Promise<URLSearchParams> {
  const cookies = new Map<string, string>()
  let url = authorizeUrl
  for (let hop = 0; url.startsWith(issuer); hop++) {
    if (hop > 10) throw new Error("the provider goes in circles")
    const cookie = Array.from(cookies, (pair) => pair.join("=")).join("; ")
    const response = await fetch(url, { redirect: "manual", headers: { cookie } })
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    const location = response.headers.get("location")
    if (!location) throw new Error(await response.text())
    url = new URL(location, url).href
  }
  return new URL(url).searchParams
}

async function logIn(clientId: string) {
  const verifier = randomBytes(32).toString("base64url")
  const nonce = randomBytes(32).toString("base64url")
  const query = new URLSearchParams({
    client_id: clientId,
    response_type: "code",
    redirect_uri: REDIRECT_URI,
    scope: "openid email",
    state: "state",
    nonce,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  })
  const answer = await browse(`${issuer}/auth?${query}`)
  const redemption = {
    code: answer.get("code") ?? "",
    codeVerifier: verifier,
    redirectUri: REDIRECT_URI,
    nonce,
  }
  return { redemption, iss: answer.get("iss") ?? undefined }
}

function open(method: (typeof METHODS)[number]) {
  const credentials = {
    clientSecret: method.startsWith("client_secret") ? SECRET : null,
    privateKey: method === "private_key_jwt" ? privateKey : null,
  }
  const entry = providerEntry({
    issuer,
    clientId: method,
    clientAuthentication: method,
    redirectUris: [REDIRECT_URI],
    fetchUserinfo: true,
    ...credentials,
  })
  const config = { providers: [entry], allowLoopbackHttp: true, allowPrivateIdp: false } as unknown as Config
  const providers = createProviders(config, () => {})
  const provider = providers.get("idp")
  if (!provider) throw new Error("no provider")
  return { provider, close: providers.close }
}

describe("a real OpenID Provider", () => {
  it.each(METHODS)("redeems a code with %s, once", async (method) => {
    const { provider, close } = open(method)
    const { redemption, iss } = await logIn(method)
    await provider.checkCallbackIssuer(iss)
    const identity = await provider.redeem(redemption)
    expect(identity).toMatchObject({ issuer, subject: "ada", profile: { email: "ada@example.com" } })
    expect(await failureOf(provider.redeem(redemption))).toEqual({
      code: "login_failed",
      reason: "invalid_grant",
      spent: true,
    })
    await close()
  })

  it("C1 refuses a code with another verifier", async () => {
    const { provider, close } = open("client_secret_basic")
    const { redemption } = await logIn("client_secret_basic")
    const stolen = { ...redemption, codeVerifier: randomBytes(32).toString("base64url") }
    expect(await failureOf(provider.redeem(stolen))).toMatchObject({ reason: "invalid_grant" })
    await close()
  })

  it("E11 refuses the code of another login, whose nonce is another", async () => {
    const { provider, close } = open("client_secret_basic")
    const { redemption } = await logIn("client_secret_basic")
    const mixed = { ...redemption, nonce: randomBytes(32).toString("base64url") }
    expect(await failureOf(provider.redeem(mixed))).toMatchObject({ reason: "id_token_nonce_mismatch" })
    await close()
  })

  it("knows where to end the provider's session", async () => {
    const { provider, close } = open("client_secret_basic")
    const url = await provider.logoutUrl({ idToken: "hint" })
    expect(url).toBe(`${issuer}/session/end?id_token_hint=hint&client_id=client_secret_basic`)
    await close()
  })
})
