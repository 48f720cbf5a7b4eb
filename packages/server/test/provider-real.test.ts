import { randomBytes } from "node:crypto"
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest"
import type { Provider } from "../src/provider/types.js"
import { failureOf } from "./support/provider-room.js"
import {
  ACCESS_TOKEN_LIFETIME,
  METHODS,
  type Method,
  type RealProvider,
  startRealProvider,
} from "./support/real-provider.js"

let idp: RealProvider
let client: ReturnType<RealProvider["open"]>

beforeAll(async () => {
  // It gives advice to those who run it in production.
  for (const method of ["info", "warn"] as const) vi.spyOn(console, method).mockImplementation(() => {})
  idp = await startRealProvider()
})

afterEach(async () => {
  vi.useRealTimers()
  await client.close()
})

afterAll(() => idp.close())

function open(method: Method = "client_secret_basic"): Provider {
  client = idp.open(method)
  return client.provider
}

const random = () => randomBytes(32).toString("base64url")

async function loggedIn(method?: Method, browser = idp.newBrowser()) {
  const provider = open(method)
  const { redemption } = await browser.logIn(method ?? "client_secret_basic")
  return { provider, identity: await provider.redeem(redemption) }
}

const seconds = () => Math.floor(Date.now() / 1000)

/** For both sides, which live in this process. */
function advance(time: number) {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + time * 1000 })
}

async function tokensOf(refresh: ReturnType<Provider["refresh"]>) {
  const result = await refresh
  if (result.outcome !== "refreshed") throw new Error(JSON.stringify(result))
  return result.tokens
}

describe("a real OpenID Provider", () => {
  it.each(METHODS)("redeems a code with %s, once", async (method) => {
    const provider = open(method)
    const { redemption, iss } = await idp.newBrowser().logIn(method)
    await provider.checkCallbackIssuer(iss)
    const identity = await provider.redeem(redemption)
    const { issuer } = idp
    expect(identity).toMatchObject({ issuer, subject: "ada", profile: { email: "ada@example.com" } })
    expect(await failureOf(provider.redeem(redemption))).toEqual({
      code: "login_failed",
      reason: "invalid_grant",
      spent: true,
    })
  })

  it("C1 refuses a code with another verifier", async () => {
    const provider = open()
    const { redemption } = await idp.newBrowser().logIn("client_secret_basic")
    const stolen = { ...redemption, codeVerifier: random() }
    expect(await failureOf(provider.redeem(stolen))).toMatchObject({ reason: "invalid_grant" })
  })

  it("E11 refuses the code of another login, whose nonce is another", async () => {
    const provider = open()
    const { redemption } = await idp.newBrowser().logIn("client_secret_basic")
    const mixed = { ...redemption, nonce: random() }
    expect(await failureOf(provider.redeem(mixed))).toMatchObject({ reason: "id_token_nonce_mismatch" })
  })

  it("knows where to end the provider's session", async () => {
    const url = await open().logoutUrl({ idToken: "hint" })
    expect(url).toBe(`${idp.issuer}/session/end?id_token_hint=hint&client_id=client_secret_basic`)
  })
})

describe("a real OpenID Provider's refresh tokens", () => {
  it.each(METHODS)("H4 E16 rotate with %s, and the new ID token continues the login", async (method) => {
    const { provider, identity } = await loggedIn(method)
    const { subject } = identity
    advance(10)
    const first = await tokensOf(provider.refresh(identity))
    expect(first.refresh_token).not.toBe(identity.tokens.refresh_token)
    expect(first.id_token).not.toBe(identity.tokens.id_token)
    expect(first.scope).toBe("openid email")
    const second = await tokensOf(provider.refresh({ tokens: first, subject }))
    expect(await provider.userinfo(second.access_token, subject)).toEqual({
      sub: "ada",
      email: "ada@example.com",
    })
  })

  it("H4 narrow the scope of one access token", async () => {
    const { provider, identity } = await loggedIn()
    const { subject } = identity
    const narrow = await tokensOf(provider.refresh({ ...identity, scope: "openid" }))
    expect(narrow.scope).toBe("openid")
    expect(await provider.userinfo(narrow.access_token, subject)).toEqual({ sub: "ada" })
    expect((await tokensOf(provider.refresh({ tokens: narrow, subject }))).scope).toBe("openid email")
    const unknown = provider.refresh({ ...identity, scope: "openid phone" })
    expect(await failureOf(unknown)).toMatchObject({ reason: "token_request_rejected", spent: false })
  })

  it("H4 are refused at their second use, and the whole grant with them", async () => {
    const { provider, identity } = await loggedIn()
    const { subject } = identity
    const tokens = await tokensOf(provider.refresh(identity))
    expect(await provider.refresh(identity)).toEqual({ outcome: "refused" })
    expect(await provider.refresh({ tokens, subject })).toEqual({ outcome: "refused" })
  })

  it.each(METHODS)("are revoked with %s, as often as one asks", async (method) => {
    const { provider, identity } = await loggedIn(method)
    const token = String(identity.tokens.refresh_token)
    for (let i = 0; i < 2; i++) expect(await provider.revoke(token)).toBeUndefined()
    expect(await provider.refresh(identity)).toEqual({ outcome: "refused" })
  })

  it("H4 mend an access token that has ended", async () => {
    const { provider, identity } = await loggedIn()
    const { tokens, subject } = identity
    expect(Number(tokens.expires_at) - seconds()).toBeLessThanOrEqual(ACCESS_TOKEN_LIFETIME)
    // The provider has a tolerance of its own.
    advance(2 * ACCESS_TOKEN_LIFETIME)
    expect(Number(tokens.expires_at)).toBeLessThan(seconds())
    expect(await failureOf(provider.userinfo(tokens.access_token, subject))).toMatchObject({
      reason: "userinfo_unauthorized",
    })
    const fresh = await tokensOf(provider.refresh(identity))
    expect(Number(fresh.expires_at)).toBeGreaterThan(seconds())
    expect(await provider.userinfo(fresh.access_token, subject)).toMatchObject({ sub: "ada" })
  })
})

describe("a real OpenID Provider's logout token", () => {
  it("I4 I5 I6 I7 comes when the user logs out there, and is accepted", async () => {
    const browser = idp.newBrowser()
    const { provider, identity } = await loggedIn("client_secret_post", browser)
    expect(await provider.announcesLogout()).toBe(true)
    expect(identity.idpSid).toEqual(expect.any(String))
    const url = await provider.logoutUrl({ idToken: identity.tokens.id_token })
    await browser.logOut(String(url))
    const token = await idp.logoutToken()
    expect(await provider.verifyLogoutToken(token)).toMatchObject({
      sub: "ada",
      sid: identity.idpSid,
      jti: expect.any(String),
    })
    expect(await provider.refresh(identity)).toEqual({ outcome: "refused" })
    await client.close()
    expect(await failureOf(open("none").verifyLogoutToken(token))).toMatchObject({
      code: "logout_failed",
      reason: "logout_token_aud_mismatch",
    })
  })
})
