import { afterEach, beforeEach, expect, it, vi } from "vitest"
import type { PkceEvent } from "../../src/events.js"
import { createPkceServer } from "../../src/server.js"
import type { PkceServer } from "../../src/server-types.js"
import { memoryStore } from "../../src/stores/memory.js"
import { ACCESS_TOKEN_LIFETIME, type RealProvider, startRealProvider } from "../support/real-provider.js"
import { call, random, s256 } from "../support/server.js"

// A certified provider that rotates its refresh tokens strictly and whose access tokens live a minute.
let idp: RealProvider
let auth: PkceServer
let events: PkceEvent[]

beforeEach(async () => {
  for (const method of ["info", "warn"] as const) vi.spyOn(console, method).mockImplementation(() => {})
  idp = await startRealProvider()
  events = []
  auth = createPkceServer({
    ...idp.options(),
    secrets: [random()],
    rateLimit: false,
    store: memoryStore(),
    onWarning: () => {},
    onEvent: (event) => void events.push(event),
  })
})
afterEach(async () => {
  vi.useRealTimers()
  vi.restoreAllMocks()
  await auth.close()
  await idp.close()
})

async function signIn(browser = idp.newBrowser()) {
  const { redemption, iss } = await browser.logIn("client_secret_basic")
  const verifier = random()
  const grant = await auth.exchange({
    code: redemption.code,
    code_verifier: redemption.codeVerifier,
    redirect_uri: redemption.redirectUri,
    nonce: redemption.nonce,
    session_challenge: s256(verifier),
    ...(iss !== undefined && { iss }),
  })
  return { grant, access: auth.provider(grant.session_id) }
}

/** For all sides, which live in this process. The provider has a tolerance of its own. */
function tokensEnd(): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2 * ACCESS_TOKEN_LIFETIME * 1000 })
}

it("the user's tokens are good for hours, through one rotation after the other", async () => {
  const { access } = await signIn()
  const seen = new Set<string>()
  for (let hour = 0; hour < 5; hour++) {
    const tokens = await Promise.all(Array.from({ length: 10 }, () => access.accessToken({ minTtl: 10 })))
    expect(new Set(tokens).size).toBe(1)
    seen.add(tokens[0] ?? "")
    expect(await access.userInfo()).toMatchObject({ sub: "ada", email: "ada@example.com" })
    tokensEnd()
  }
  expect(seen.size).toBe(5)
  expect(events.filter(({ type }) => type === "idp.refresh.succeeded")).toHaveLength(4)
})

it("the background keeps them fresh, and a logout here revokes them there", async () => {
  const { grant, access } = await signIn()
  tokensEnd()
  expect(await auth.refreshDueGrants()).toMatchObject({ due: 1, refreshed: 1 })
  expect(await auth.refreshDueGrants({ within: 1 })).toMatchObject({ due: 0 })

  const token = await access.accessToken({ minTtl: 1 })
  const userinfo = () => fetch(`${idp.issuer}/me`, { headers: { authorization: `Bearer ${token}` } })
  expect((await userinfo()).status).toBe(200)
  const headers = { authorization: `Bearer ${grant.session_token}` }
  expect((await call(auth, { path: "/logout", headers, body: {} })).status).toBe(200)
  await expect(access.accessToken()).rejects.toMatchObject({ code: "session_revoked" })
  // RFC 7009 section 2: with the refresh token the whole grant ends, access tokens included.
  await expect.poll(async () => (await userinfo()).status).toBe(401)
  expect(events.filter(({ type }) => type === "idp.revocation.failed")).toEqual([])
})

it("a logout there ends the session here, by the token that the provider itself sends", async () => {
  const browser = idp.newBrowser()
  const { grant } = await signIn(browser)
  const headers = { authorization: `Bearer ${grant.session_token}` }
  const me = () => call(auth, { method: "GET", path: "/session", headers })
  expect((await me()).status).toBe(200)

  await browser.logOut(`${idp.issuer}/session/end?client_id=client_secret_basic`)
  const raw = new URLSearchParams({ logout_token: await idp.logoutToken() }).toString()
  const form = { "content-type": "application/x-www-form-urlencoded" }
  expect((await call(auth, { path: "/backchannel-logout", headers: form, raw })).status).toBe(200)
  expect((await me()).status).toBe(401)
  expect(events.at(-1)).toMatchObject({ type: "auth.request.refused" })
  expect(events).toContainEqual(
    expect.objectContaining({ type: "auth.backchannel_logout.succeeded", sessions: 1, repeat: false }),
  )
})
