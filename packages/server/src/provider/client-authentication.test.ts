import { generateKeyPairSync } from "node:crypto"
import { createLocalJWKSet, decodeJwt, jwtVerify } from "jose"
import { describe, expect, it } from "vitest"
import { createClientAuthenticator } from "./client-authentication.js"

const issuer = "https://idp.example.com/"
const metadata = (methods?: string[]) => ({
  issuer,
  authorization_endpoint: `${issuer}authorize`,
  token_endpoint: `${issuer}token`,
  jwks_uri: `${issuer}keys`,
  ...(methods ? { token_endpoint_auth_methods_supported: methods } : {}),
})
const client = { clientId: "app", clientSecret: null, privateKey: null, clientAuthentication: null, issuer }
const NOW = 1_700_000_000

const basicOf = async (clientId: string, clientSecret: string) => {
  const { headers } = await createClientAuthenticator({ ...client, clientId, clientSecret })(metadata(), NOW)
  return Buffer.from((headers.authorization ?? "").replace("Basic ", ""), "base64").toString()
}

describe("client authentication", () => {
  it("sends unreserved characters as they are, and escapes the others", async () => {
    expect(await basicOf("a-b.c_d~e", "GOCSPX-A_b~9.")).toBe("a-b.c_d~e:GOCSPX-A_b~9.")
    expect(await basicOf("a:b", "p w+%/=!'()*&é")).toBe("a%3Ab:p%20w%2B%25%2F%3D%21%27%28%29%2A%26%C3%A9")
  })

  it("chooses the default that the option's documentation names", async () => {
    const secret = { ...client, clientSecret: "secret" }
    const post = await createClientAuthenticator(secret)(
      metadata(["client_secret_basic", "client_secret_post"]),
      NOW,
    )
    expect(post).toEqual({ headers: {}, fields: { client_id: "app", client_secret: "secret" } })
    for (const methods of [undefined, [], ["client_secret_basic"], ["private_key_jwt"]]) {
      const basic = await createClientAuthenticator(secret)(metadata(methods), NOW)
      expect(basic).toEqual({ headers: { authorization: "Basic YXBwOnNlY3JldA==" }, fields: {} })
    }
    const none = await createClientAuthenticator(client)(metadata(["client_secret_post"]), NOW)
    expect(none).toEqual({ headers: {}, fields: { client_id: "app" } })
  })

  it("does as it is told", async () => {
    const told = { ...client, clientSecret: "secret", clientAuthentication: "client_secret_basic" } as const
    const { fields } = await createClientAuthenticator(told)(metadata(["client_secret_post"]), NOW)
    expect(fields).toEqual({})
  })

  it.each([
    [issuer, issuer],
    ["https://login.microsoftonline.com/tenant/v2.0", `${issuer}token`],
    ["https://team.okta.com", `${issuer}token`],
    ["https://okta.com.evil.example", "https://okta.com.evil.example"],
  ])("signs an assertion for %s with the audience %s", async (issuer_, audience) => {
    const pair = generateKeyPairSync("ec", { namedCurve: "P-256" })
    const privateKey = { ...pair.privateKey.export({ format: "jwk" }), alg: "ES256", kid: "k1" }
    const authenticate = createClientAuthenticator({ ...client, issuer: issuer_, privateKey })
    const seen = new Set<unknown>()
    for (let i = 0; i < 2; i++) {
      const { headers, fields } = await authenticate(metadata(), NOW + 0.7)
      expect(headers).toEqual({})
      expect(fields.client_assertion_type).toBe("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
      const jwks = createLocalJWKSet({
        keys: [{ ...pair.publicKey.export({ format: "jwk" }), kid: "k1" } as { kty: "EC" }],
      })
      const { payload, protectedHeader } = await jwtVerify(fields.client_assertion ?? "", jwks, {
        currentDate: new Date(NOW * 1000),
      })
      expect(protectedHeader).toEqual({ alg: "ES256", kid: "k1" })
      expect(payload).toEqual({
        iss: "app",
        sub: "app",
        aud: audience,
        jti: payload.jti,
        iat: NOW,
        exp: NOW + 60,
      })
      seen.add(payload.jti)
    }
    expect(seen.size).toBe(2)
  })

  it.each([
    [issuer, issuer],
    ["https://team.okta.com", `${issuer}revoke`],
  ])("signs an assertion for %s at another endpoint with the audience %s", async (issuer_, audience) => {
    const pair = generateKeyPairSync("ec", { namedCurve: "P-256" })
    const privateKey = { ...pair.privateKey.export({ format: "jwk" }), alg: "ES256" }
    const authenticate = createClientAuthenticator({ ...client, issuer: issuer_, privateKey })
    const { fields } = await authenticate(metadata(), NOW, `${issuer}revoke`)
    expect(decodeJwt(fields.client_assertion ?? "").aud).toBe(audience)
  })

  it("says nothing of a key that cannot sign", async () => {
    const authenticate = createClientAuthenticator({
      ...client,
      privateKey: { kty: "EC", d: "canary", alg: "ES256" },
    })
    const error: unknown = await authenticate(metadata(), NOW).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: "idp_misconfigured", reason: "client_key_unusable", spent: false })
    expect(error).not.toHaveProperty("cause")
  })
})
