import { createHash, randomBytes } from "node:crypto"
import { afterAll, beforeAll, expect, it, vi } from "vitest"
import {
  createHeadlessBrowser,
  type LocalProvider,
  logInHeadless,
  type ProviderEvent,
  startLocalProvider,
} from "../src/index.js"
import { accountOf, personOf } from "../src/person.js"

const CALLBACK = "com.example.app://auth/callback"
const events: ProviderEvent[] = []
const printed = [vi.spyOn(console, "warn"), vi.spyOn(console, "info"), vi.spyOn(console, "error")]
let provider: LocalProvider

beforeAll(async () => {
  provider = await startLocalProvider({
    redirectUris: [CALLBACK, "http://127.0.0.1/callback"],
    onEvent: (event) => events.push(event),
  })
})
afterAll(() => provider.close())

const verifier = randomBytes(32).toString("base64url")
const challenge = createHash("sha256").update(verifier).digest("base64url")

function authorizationUrl(changes: Record<string, string | null> = {}) {
  const url = new URL("/auth", provider.issuer)
  const params = {
    response_type: "code",
    client_id: provider.clientId,
    redirect_uri: CALLBACK,
    scope: "openid profile email",
    state: "a-state",
    nonce: "a-nonce",
    code_challenge: challenge,
    code_challenge_method: "S256",
    ...changes,
  }
  for (const [name, value] of Object.entries(params)) if (value !== null) url.searchParams.set(name, value)
  return url.href
}

const redeem = (params: Record<string, string>) =>
  fetch(`${provider.issuer}/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code",
      redirect_uri: CALLBACK,
      client_id: provider.clientId,
      client_secret: provider.clientSecret,
      ...params,
    }),
  })

const claimsOf = (jwt: string) => JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString())

it("logs a person in by name, and the code brings their profile and the nonce", async () => {
  const { url } = await logInHeadless(authorizationUrl(), { user: "Ada Lovelace" })
  const callback = new URL(url)
  expect(callback.protocol).toBe("com.example.app:")
  expect(callback.searchParams.get("state")).toBe("a-state")
  expect(callback.searchParams.get("iss")).toBe(provider.issuer)

  const response = await redeem({ code: callback.searchParams.get("code") ?? "", code_verifier: verifier })
  expect(response.status).toBe(200)
  const tokens = (await response.json()) as { id_token: string; refresh_token: string }
  expect(claimsOf(tokens.id_token)).toMatchObject({
    iss: provider.issuer,
    aud: provider.clientId,
    sub: "ada.lovelace",
    nonce: "a-nonce",
    name: "Ada Lovelace",
    email: "ada.lovelace@example.test",
  })
  expect(tokens.refresh_token).toBeTruthy()
  expect(events.map((event) => event.type)).toEqual([
    "authorization_requested",
    "user_logged_in",
    "code_issued",
    "code_redeemed",
  ])
})

it("A2: demands PKCE, and a verifier that opens the challenge", async () => {
  const without = await logInHeadless(
    authorizationUrl({ code_challenge: null, code_challenge_method: null }),
    {
      user: "Ada",
    },
  )
  expect(new URL(without.url).searchParams.get("error")).toBe("invalid_request")

  const { url } = await logInHeadless(authorizationUrl(), { user: "Ada" })
  const code = new URL(url).searchParams.get("code") ?? ""
  const response = await redeem({ code, code_verifier: `${verifier}x` })
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ error: "invalid_grant" })
  expect(events.at(-1)).toEqual({ type: "refused", endpoint: "token", error: "invalid_grant" })
})

it("refuses a client that does not know its secret", async () => {
  const { url } = await logInHeadless(authorizationUrl(), { user: "Ada" })
  const code = new URL(url).searchParams.get("code") ?? ""
  const response = await redeem({ code, code_verifier: verifier, client_secret: "guessed" })
  expect(response.status).toBe(401)
})

it("remembers the browser until it is sent to the end-session endpoint", async () => {
  const browser = createHeadlessBrowser({ user: "Grace Hopper" })
  const logins = () => events.filter((event) => event.type === "user_logged_in").length
  const before = logins()
  await browser.visit(authorizationUrl())
  await browser.visit(authorizationUrl())
  expect(logins()).toBe(before + 1)

  const logout = new URL("/session/end", provider.issuer)
  logout.searchParams.set("client_id", provider.clientId)
  expect((await browser.visit(logout.href)).body).toContain("You are signed out")
  await browser.visit(authorizationUrl())
  expect(logins()).toBe(before + 2)
})

it("does not send codes anywhere but to the registered redirect URIs, whatever the loopback port", async () => {
  const foreign = await logInHeadless(authorizationUrl({ redirect_uri: "com.example.other://callback" }), {
    user: "Ada",
  })
  expect(foreign.status).toBe(400)
  expect(foreign.body).toContain("invalid_redirect_uri")
  const page = await fetch(authorizationUrl({ redirect_uri: "http://127.0.0.1:54321/callback" }), {
    redirect: "manual",
  })
  expect(page.headers.get("location")).toMatch(/^\/interaction\//)
})

it("asks again for a name of no letters, and escapes what was typed", async () => {
  const page = await logInHeadless(authorizationUrl(), { user: '"<>' })
  expect(page.body).toContain("A name needs at least one letter.")
  expect(page.body).toContain('value="&#34;&#60;&#62;"')
  expect(accountOf('"<>')).toBeNull()
  expect(personOf(accountOf("  Ada  LOVELACE ") ?? "")).toMatchObject({
    sub: "ada.lovelace",
    name: "Ada Lovelace",
  })
})

it("prints nothing", () => {
  for (const spy of printed) expect(spy.mock.calls).toEqual([])
})
