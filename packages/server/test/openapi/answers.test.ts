import { afterAll, beforeAll, expect, it, vi } from "vitest"
import { createPkceServer } from "../../src/server.js"
import type { PkceServer } from "../../src/server-types.js"
import { memoryStore } from "../../src/stores/memory.js"
import { type RealProvider, startRealProvider } from "../support/real-provider.js"
import { parsed, random, s256 } from "../support/server.js"
import { answerChecker, type Document, documentOf, statusesOf } from "./checker.js"

const APP = "client_secret_basic"
const url = "https://api.example.com/auth"
const bearer = (token: unknown) => ({ authorization: `Bearer ${String(token)}` })
let idp: RealProvider
let auth: PkceServer
let document: Document
let checker: ReturnType<typeof answerChecker>
/** Milliseconds by which the store's clock is ahead. */
let ahead = 0

beforeAll(async () => {
  // It gives advice to those who run it in production.
  for (const method of ["info", "warn"] as const) vi.spyOn(console, method).mockImplementation(() => {})
  idp = await startRealProvider()
  auth = createPkceServer({
    ...idp.options(),
    secrets: [random()],
    store: memoryStore({ now: () => Date.now() + ahead }),
    url,
    session: { algorithm: "EdDSA" },
    rateLimit: false,
    onEvent: () => undefined,
    onWarning: () => undefined,
  })
  document = await documentOf(auth)
  checker = answerChecker(document)
})
afterAll(async () => {
  await auth.close()
  await idp.close()
})

async function signIn(extra: object = {}, browser = idp.newBrowser()) {
  const { redemption, iss } = await browser.logIn(APP)
  const verifier = random()
  const body = {
    code: redemption.code,
    code_verifier: redemption.codeVerifier,
    redirect_uri: redemption.redirectUri,
    nonce: redemption.nonce,
    iss,
    session_challenge: s256(verifier),
    ...extra,
  }
  const grant = parsed(await checker.ask(auth, { path: "/exchange", body, address: "203.0.113.7" }))
  expect(grant.session_id).toBeTypeOf("string")
  return { grant, verifier, body, token: bearer(grant.session_token), browser }
}

it.each(["/config", "/jwks.json", "/openapi.json"])("GET %s", async (path) => {
  expect((await checker.ask(auth, { method: "GET", path })).status).toBe(200)
})

it("a login, its repeat, a refresh, and a late repeat of it", async () => {
  const { body, grant, verifier } = await signIn({ device: { name: "phone", platform: "ios" } })
  expect(parsed(await checker.ask(auth, { path: "/exchange", body })).session_id).toBe(grant.session_id)
  const step = {
    refresh_token: grant.refresh_token,
    session_verifier: verifier,
    session_challenge: s256(random()),
  }
  const next = parsed(await checker.ask(auth, { path: "/refresh", body: step }))
  expect(next.session_token).toBeTypeOf("string")
  ahead = 60_000
  const late = parsed(await checker.ask(auth, { path: "/refresh", body: step }))
  ahead = 0
  expect([late.session_id, late.session_token]).toEqual([grant.session_id, undefined])
})

it("a login without a session line", async () => {
  const { grant } = await signIn({ session_challenge: undefined })
  expect([typeof grant.session_token, grant.refresh_token]).toEqual(["string", undefined])
})

it("the list of sessions, and their ends", async () => {
  const [mine, other] = [await signIn({ device: { model: "X", app_version: "1" } }), await signIn()]
  const headers = mine.token
  expect((await checker.ask(auth, { method: "GET", path: "/session", headers })).status).toBe(200)
  const list = parsed(await checker.ask(auth, { method: "GET", path: "/sessions", headers }))
  expect(list.sessions).toContainEqual(
    expect.objectContaining({ device: { model: "X", app_version: "1", ip: "203.0.113.0" } }),
  )
  const path = `/sessions/${other.grant.session_id}`
  expect((await checker.ask(auth, { method: "DELETE", path, headers })).status).toBe(204)
  expect((await checker.ask(auth, { method: "DELETE", path: "/sessions", headers })).status).toBe(204)
})

it("a logout, the browser's way to the provider, and what the provider says of it", async () => {
  const { token: headers, browser } = await signIn()
  const other = await signIn({}, browser)
  const { logout_url } = parsed(await checker.ask(auth, { path: "/logout", headers, body: { state: "s" } }))
  const ticket = String(logout_url).slice(url.length)
  const redirect = await checker.ask(auth, { method: "GET", path: ticket })
  expect(redirect.status).toBe(303)
  await browser.logOut(String(redirect.headers.Location))
  const form = new URLSearchParams({ logout_token: await idp.logoutToken() })
  const told = await checker.ask(auth, {
    path: "/backchannel-logout",
    raw: String(form),
    headers: { "content-type": "application/x-www-form-urlencoded" },
  })
  expect(told.status).toBe(200)
  const ended = await checker.ask(auth, { method: "GET", path: "/session", headers: other.token })
  expect(ended.status).toBe(401)
  expect(await auth.sessions.get(other.grant.session_id)).toBeNull()
})

it("every answer in the document that is no failure has been seen", () => {
  const documented = statusesOf(document).filter((one) => !/ [45]..$/.test(one))
  expect(documented.filter((one) => !checker.seen.has(one))).toEqual([])
})
