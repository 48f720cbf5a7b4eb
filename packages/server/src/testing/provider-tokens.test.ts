import { afterEach, describe, expect, it } from "vitest"
import { startFakeProvider } from "./provider.js"
import type { FakeProvider, FakeProviderOptions } from "./provider-types.js"

let idp: FakeProvider

afterEach(() => idp.close())

async function start(options?: FakeProviderOptions) {
  idp = await startFakeProvider(options)
}

/** On a clock of the test's own. */
async function startAt(options: FakeProviderOptions) {
  let time = 1_800_000_000
  await start({ ...options, now: () => time })
  return (seconds: number) => {
    time += seconds
  }
}

async function post(path: string, fields: Record<string, string>) {
  const body = new URLSearchParams({ client_id: idp.clientId, ...fields })
  if (!fields.client_id) body.set("client_secret", fields.client_secret ?? idp.clientSecret)
  const response = await fetch(`${idp.issuer}${path}`, { method: "POST", body })
  const text = await response.text()
  return { status: response.status, date: response.headers.get("date"), body: text ? JSON.parse(text) : null }
}

const refresh = (refreshToken: string, more: Record<string, string> = {}) =>
  post("/oauth/token", { grant_type: "refresh_token", refresh_token: refreshToken, ...more })

async function issued(
  grant: Parameters<FakeProvider["finishLogin"]>[0] = {},
  more: Record<string, string> = {},
) {
  const { code, code_verifier, redirect_uri } = idp.finishLogin(grant)
  const fields = { grant_type: "authorization_code", code, code_verifier, redirect_uri, ...more }
  return (await post("/oauth/token", fields)).body
}

const userinfo = async (token: string) =>
  (await fetch(`${idp.issuer}/userinfo`, { headers: { authorization: `Bearer ${token}` } })).status

const refused = { status: 400, body: { error: "invalid_grant" } }
const claimsOf = (idToken: string) =>
  JSON.parse(Buffer.from(idToken.split(".")[1] ?? "", "base64url").toString())

describe("the fake provider's refresh tokens", () => {
  it("come with offline_access, or with the option", async () => {
    await start()
    expect(await issued({ scope: "openid" })).not.toHaveProperty("refresh_token")
    expect(await issued({ scope: "openid offline_access" })).toHaveProperty("refresh_token")
    await idp.close()
    await start({ refreshTokens: {} })
    expect(await issued()).toHaveProperty("refresh_token")
  })

  it("stay as they are without rotation", async () => {
    const advance = await startAt({ refreshTokens: {}, accessTokenLifetime: 60 })
    const { refresh_token: token, id_token: first } = await issued({ sub: "ada", authTime: 7 })
    advance(50)
    for (let i = 0; i < 2; i++) {
      const { body } = await refresh(token)
      expect(body).toMatchObject({ token_type: "Bearer", expires_in: 60 })
      expect(body).not.toHaveProperty("refresh_token")
      const { iat, exp, nonce, ...login } = claimsOf(first)
      expect(claimsOf(body.id_token)).toEqual({ ...login, iat: iat + 50, exp: exp + 50 })
      expect(nonce).toBeDefined()
    }
    expect(idp.calls).toMatchObject({ token: 1, refresh: 2 })
  })

  it("strict: a second use ends the whole grant", async () => {
    await start({ refreshTokens: { rotation: "strict" } })
    const { refresh_token: first } = await issued()
    const { refresh_token: second } = (await refresh(first)).body
    const { refresh_token: third } = (await refresh(second)).body
    expect(new Set([first, second, third]).size).toBe(3)
    expect(await refresh(first)).toMatchObject(refused)
    expect(await refresh(third)).toMatchObject(refused)
  })

  it("grace: a second use within the time gets the same successor, a later one ends the grant", async () => {
    const advance = await startAt({ refreshTokens: { rotation: "grace", graceSeconds: 10 } })
    const { refresh_token: first } = await issued()
    const one = (await refresh(first)).body
    advance(9)
    const two = (await refresh(first)).body
    expect(two.refresh_token).toBe(one.refresh_token)
    expect(two.access_token).not.toBe(one.access_token)
    advance(1)
    expect(await refresh(first)).toMatchObject(refused)
    expect(await refresh(one.refresh_token)).toMatchObject(refused)
  })

  it("narrow the scope for one access token, and never widen it", async () => {
    await start({ refreshTokens: { rotation: "strict" } })
    const { refresh_token: token, scope } = await issued({ scope: "openid email api" })
    expect(scope).toBe("openid email api")
    const wider = await refresh(token, { scope: "openid admin" })
    expect(wider).toMatchObject({ status: 400, body: { error: "invalid_scope" } })
    const narrow = (await refresh(token, { scope: "openid api", audience: "https://api.example" })).body
    expect(narrow.scope).toBe("openid api")
    expect((await refresh(narrow.refresh_token)).body.scope).toBe("openid email api")
    expect(idp.requests.some(({ body }) => body.includes("audience=https%3A%2F%2Fapi.example"))).toBe(true)
  })

  it("belong to one client", async () => {
    await start({ clients: [{ clientId: "a" }, { clientId: "b" }], refreshTokens: {} })
    const { refresh_token: token } = await issued({}, { client_id: "a" })
    expect(await refresh(token, { client_id: "b" })).toMatchObject(refused)
    expect(await post("/oauth/revoke", { token, client_id: "b" })).toMatchObject(refused)
    expect((await refresh(token, { client_id: "a" })).status).toBe(200)
  })

  it("end with a revocation, and their access tokens with them", async () => {
    await start({ refreshTokens: {} })
    const { refresh_token: token, access_token: access } = await issued()
    expect(await userinfo(access)).toBe(200)
    expect((await post("/oauth/revoke", { token, client_secret: "wrong" })).status).toBe(401)
    expect((await post("/oauth/revoke", { token: "guess" })).status).toBe(200)
    expect((await refresh(token)).status).toBe(200)
    expect((await post("/oauth/revoke", { token, token_type_hint: "refresh_token" })).status).toBe(200)
    expect(await refresh(token)).toMatchObject(refused)
    expect(await userinfo(access)).toBe(401)
    expect(idp.calls.revocation).toBe(3)
  })

  it("end with their user's consent, until the next login", async () => {
    await start({ refreshTokens: {} })
    const [mine, other] = [await issued({ sub: "ada" }), await issued({ sub: "bob" })]
    idp.revokeUser("ada")
    expect(await refresh(mine.refresh_token)).toMatchObject(refused)
    expect(await userinfo(mine.access_token)).toBe(401)
    expect((await refresh(other.refresh_token)).status).toBe(200)
    expect((await refresh((await issued({ sub: "ada" })).refresh_token)).status).toBe(200)
  })

  it("have faults of their own", async () => {
    await start({ refreshTokens: { rotation: "strict" } })
    idp.faults.refresh = { hangUp: "after", times: 1 }
    const { refresh_token: token } = await issued()
    await expect(refresh(token)).rejects.toThrow()
    expect(await refresh(token)).toMatchObject(refused)
    idp.faults.revocation = { status: 503 }
    expect((await post("/oauth/revoke", { token })).status).toBe(503)
  })

  it("go by the clock that was given, as all does", async () => {
    const advance = await startAt({ accessTokenLifetime: 60 })
    const { access_token: access } = await issued()
    advance(59)
    expect(await userinfo(access)).toBe(200)
    advance(1)
    expect(await userinfo(access)).toBe(401)
    expect((await refresh("guess")).date).toBe(new Date(1_800_000_060_000).toUTCString())
  })
})

describe("the fake provider's logout tokens", () => {
  it("bear what the standard wants, and what the test wants", async () => {
    await start({ now: () => 1_800_000_000 })
    idp.user = { sub: "ada" }
    const read = (token: string) =>
      token.split(".", 2).map((part) => JSON.parse(Buffer.from(part, "base64url").toString()))
    const [header, claims] = read(idp.logoutToken())
    expect(header).toMatchObject({ alg: "RS256", typ: "logout+jwt" })
    expect(claims).toEqual({
      iss: idp.issuer,
      aud: idp.clientId,
      sub: "ada",
      iat: 1_800_000_000,
      exp: 1_800_000_120,
      jti: expect.any(String),
      events: { "http://schemas.openid.net/event/backchannel-logout": {} },
    })
    const [bare, changed] = read(idp.logoutToken({ sub: undefined, sid: "s" }, { typ: undefined }))
    expect(bare).not.toHaveProperty("typ")
    expect(changed).not.toHaveProperty("sub")
    expect(changed).toMatchObject({ sid: "s" })
  })
})
