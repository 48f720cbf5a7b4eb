import { createHash, generateKeyPairSync, randomBytes } from "node:crypto"
import { afterEach, describe, expect, it } from "vitest"
import { createClientAuthenticator } from "../provider/client-authentication.js"
import { createPkceServer } from "../server.js"
import { startFakeProvider } from "./provider.js"
import type { FakeProvider, FakeProviderOptions, FinishedLogin } from "./provider-types.js"

let idp: FakeProvider

afterEach(() => idp.close())

async function start(options?: FakeProviderOptions) {
  idp = await startFakeProvider(options)
  return idp
}

async function redeem(
  login: FinishedLogin,
  more: Record<string, string> = {},
  headers: Record<string, string> = {},
) {
  const { code, code_verifier, redirect_uri } = login
  const fields = { grant_type: "authorization_code", code, code_verifier, redirect_uri, ...more }
  const response = await fetch(`${idp.issuer}/oauth/token`, {
    method: "POST",
    headers,
    body: new URLSearchParams(fields),
  })
  return { status: response.status, body: await response.json() }
}

const secret = () => ({ client_id: idp.clientId, client_secret: idp.clientSecret })

it("the example of its documentation logs in", async () => {
  await start()
  const auth = createPkceServer({ ...idp.options(), secrets: [randomBytes(32).toString("base64")] })
  const grant = await auth.exchange(idp.finishLogin({ sub: "alice" }))
  expect(grant.user_info).toMatchObject({ idp_iss: idp.issuer, idp_sub: "alice" })
  await auth.close()
})

describe("the fake provider refuses what a real one refuses", () => {
  it("redeems a code once", async () => {
    await start()
    const login = idp.finishLogin({ sub: "alice" })
    const { status, body } = await redeem(login, secret())
    expect({ status, type: body.token_type }).toEqual({ status: 200, type: "Bearer" })
    expect(await redeem(login, secret())).toEqual({ status: 400, body: { error: "invalid_grant" } })
    expect(idp.calls.token).toBe(2)
  })

  it.each([{ code_verifier: "v".repeat(43) }, { redirect_uri: "https://evil.example" }, { code: "guess" }])(
    "refuses %j, and spends the code",
    async (wrong) => {
      await start()
      const login = idp.finishLogin()
      expect((await redeem(login, { ...secret(), ...wrong })).body).toEqual({ error: "invalid_grant" })
    },
  )

  it("refuses another client's code", async () => {
    await start({ clients: [{ clientId: "a" }, { clientId: "b" }] })
    const login = idp.finishLogin({ clientId: "b" })
    expect((await redeem(login, { client_id: "a" })).body).toEqual({ error: "invalid_grant" })
  })

  it.each([
    {},
    { client_id: "test-client" },
    { client_id: "test-client", client_secret: "wrong" },
    { client_id: "other" },
  ])("refuses the client that says %j", async (fields) => {
    await start()
    expect(await redeem(idp.finishLogin(), fields)).toEqual({
      status: 401,
      body: { error: "invalid_client" },
    })
  })

  it.each(["client_secret_basic", "client_secret_post", "private_key_jwt", "none"] as const)(
    "accepts %s, and only where it is offered",
    async (method) => {
      const pair = generateKeyPairSync("ec", { namedCurve: "P-256" })
      const client = {
        clientId: "app",
        ...(method.startsWith("client_secret") ? { clientSecret: "s:e c" } : {}),
        ...(method === "private_key_jwt"
          ? { publicKey: { ...pair.publicKey.export({ format: "jwk" }) } }
          : {}),
      }
      for (const [authMethods, status] of [
        [[method], 200],
        [[], 401],
      ] as const) {
        await start({ clients: [client], authMethods: [...authMethods] })
        const authenticate = createClientAuthenticator({
          clientId: "app",
          clientSecret: client.clientSecret ?? null,
          privateKey: { ...pair.privateKey.export({ format: "jwk" }), alg: "ES256" },
          clientAuthentication: method,
          issuer: idp.issuer,
        })
        const metadata = await (await fetch(`${idp.issuer}/.well-known/openid-configuration`)).json()
        const { headers, fields } = await authenticate(metadata, Date.now() / 1000)
        expect((await redeem(idp.finishLogin(), fields, headers)).status).toBe(status)
        await idp.close()
      }
    },
  )

  it("refuses an assertion of another key", async () => {
    const made = () => generateKeyPairSync("ec", { namedCurve: "P-256" })
    await start({
      clients: [{ clientId: "app", publicKey: { ...made().publicKey.export({ format: "jwk" }) } }],
    })
    const privateKey = { ...made().privateKey.export({ format: "jwk" }), alg: "ES256" }
    const { issuer } = idp
    const client = { clientId: "app", clientSecret: null, privateKey, clientAuthentication: null, issuer }
    const metadata = { issuer, authorization_endpoint: "", token_endpoint: "", jwks_uri: "" }
    const { fields } = await createClientAuthenticator(client)(metadata, Date.now() / 1000)
    expect((await redeem(idp.finishLogin(), fields)).status).toBe(401)
  })
})

describe("the fake provider's browser side", () => {
  it("answers /authorize with code, state and iss", async () => {
    await start()
    const verifier = "v".repeat(43)
    const query = new URLSearchParams({
      client_id: idp.clientId,
      response_type: "code",
      redirect_uri: "com.example.app://callback",
      state: "s",
      nonce: "n",
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
      code_challenge_method: "S256",
    })
    const response = await fetch(`${idp.issuer}/authorize?${query}`, { redirect: "manual" })
    const back = new URL(response.headers.get("location") ?? "")
    expect(back.searchParams.get("state")).toBe("s")
    expect(back.searchParams.get("iss")).toBe(idp.issuer)
    const code = back.searchParams.get("code") ?? ""
    const login = {
      code,
      code_verifier: verifier,
      redirect_uri: "com.example.app://callback",
      nonce: "n",
      iss: idp.issuer,
    }
    expect((await redeem(login, secret())).status).toBe(200)
    query.set("code_challenge_method", "plain")
    expect((await fetch(`${idp.issuer}/authorize?${query}`, { redirect: "manual" })).status).toBe(400)
  })

  it("returns from /logout with the state", async () => {
    await start()
    const query = new URLSearchParams({ post_logout_redirect_uri: "https://app.example/bye", state: "s" })
    const response = await fetch(`${idp.issuer}/logout?${query}`, { redirect: "manual" })
    expect(response.headers.get("location")).toBe("https://app.example/bye?state=s")
  })

  it("knows no userinfo without its own access token", async () => {
    await start()
    expect(
      (await fetch(`${idp.issuer}/userinfo`, { headers: { authorization: "Bearer guess" } })).status,
    ).toBe(401)
  })
})

describe("the fake provider's faults", () => {
  it("loses the answer after the code is spent, as often as it is told", async () => {
    await start()
    idp.faults.token = { hangUp: "after", times: 1 }
    const login = idp.finishLogin()
    await expect(redeem(login, secret())).rejects.toThrow()
    expect((await redeem(login, secret())).body).toEqual({ error: "invalid_grant" })
  })

  it("hangs up before the code is spent", async () => {
    await start()
    idp.faults.token = { hangUp: "before", times: 1 }
    const login = idp.finishLogin()
    await expect(redeem(login, secret())).rejects.toThrow()
    expect((await redeem(login, secret())).status).toBe(200)
  })
})
