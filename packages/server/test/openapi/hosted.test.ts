import type { StartRequest } from "@pkce/protocol"
import { afterAll, beforeAll, expect, it, vi } from "vitest"
import { click, type Hosted, type Shown, startHosted, targetOf } from "../support/hosted.js"
import { call, parsed, random, s256 } from "../support/server.js"
import { answerChecker, type Document, documentOf, statusesOf } from "./checker.js"

const LOOPBACK = "http://127.0.0.1/callback"
const SITE = "https://app.example.com"
let hosted: Hosted
let document: Document
let checker: ReturnType<typeof answerChecker>
/** Content types that came with each status of each operation that shows pages. */
const types = new Set<string>()
/** What the document did not expect, of answers that went to a browser. */
let wrong: unknown[]

beforeAll(async () => {
  // The provider gives advice to those who run it in production.
  for (const method of ["info", "warn"] as const) vi.spyOn(console, method).mockImplementation(() => {})
  hosted = await startHosted({
    // In a pushed request the state would not stand in the address.
    provider: { pushed: false },
    options: {
      hosted: { poll: true, origins: [SITE] },
      redirectUris: ["com.example.app:/callback", LOOPBACK],
      rateLimit: false,
    },
  })
  document = await documentOf(hosted.auth)
  checker = answerChecker(document)
  wrong = []
  // Between the mount and the routes: whoever asks, whatever is answered is compared.
  const { handle } = hosted.auth
  Object.assign(hosted.auth, {
    async handle(request: Parameters<typeof handle>[0]) {
      const answer = await handle(request)
      try {
        checker.check(request.method, request.path, answer)
      } catch (error) {
        wrong.push(error)
      }
      const [, first = ""] = request.path.split("/")
      types.add(`${request.method} ${first} ${answer.status} ${answer.headers["Content-Type"]}`)
      return answer
    },
  })
})
afterAll(() => hosted.close())

const HTML = "text/html; charset=utf-8"
const JSON_TYPE = "application/json"

/** A login that is back from the provider. */
async function loggedIn(request: Partial<StartRequest> = {}) {
  const login = await hosted.start(request)
  const browser = hosted.browser()
  const first = await browser.open(login.authorize_url)
  const page = request.delivery === "poll" ? await click(browser, first) : first
  const credentials = { login_id: login.login_id, code_verifier: login.verifier }
  return { login, page, browser, credentials }
}
const handoffOf = (page: Shown) => targetOf(page).searchParams.get("handoff")

it("a redirect: every answer on the way, a repeat, and a repeat with another verifier", async () => {
  const { login, page, credentials } = await loggedIn({ device: { name: "phone" }, ui_locales: "de en" })
  expect(login.authorize_url).toBe(`${hosted.url}/login/${login.login_id}`)
  const body = { ...credentials, handoff: handoffOf(page), session_challenge: s256(random()) }
  const first = await hosted.post("/redeem", body)
  expect([first.status, (await hosted.post("/redeem", body)).body.session_id]).toEqual([
    200,
    first.body.session_id,
  ])
  const other = await hosted.post("/redeem", { ...body, code_verifier: random() })
  expect([other.status, other.body.error]).toEqual([400, "login_failed"])
})

it("a loopback port, which is answered with a redirect", async () => {
  const login = await hosted.start({ redirect_uri: LOOPBACK })
  const browser = hosted.browser()
  await expect(browser.open(login.authorize_url)).rejects.toThrow("fetch failed")
  expect(browser.visited.at(-1)).toMatch(/^http:\/\/127\.0\.0\.1\/callback\?handoff=/)
  expect(types).toContain(`GET callback 303 ${HTML}`)
})

it.each([{}, { redirect_uri: SITE }])("a web view, whose page posts a message: %j", async (to) => {
  const { page } = await loggedIn({ delivery: "webview", ...to })
  expect(page.status).toBe(200)
  expect(page.html).toContain("&quot;handoff&quot;:")
})

it("poll: 202 before, a page for the click, and then the session", async () => {
  const login = await hosted.start({ delivery: "poll" })
  const body = { login_id: login.login_id, code_verifier: login.verifier }
  expect((await hosted.post("/poll", body)).status).toBe(202)
  const browser = hosted.browser()
  const page = await browser.open(login.authorize_url)
  expect((await click(browser, page)).status).toBe(200)
  expect((await hosted.post("/poll", body)).status).toBe(200)
  const wrongVerifier = await hosted.post("/poll", { ...body, code_verifier: random() })
  expect([wrongVerifier.status, wrongVerifier.body.error]).toEqual([400, "login_failed"])
})

it("C12: sets the cookie of a bound session where the document says so, and refuses a stranger's page with 403", async () => {
  const { origin } = new URL(hosted.url)
  const bound = { bind: "cookie", session_challenge: s256(random()) }
  const [redeemed, polled] = [await loggedIn(), await loggedIn({ delivery: "poll" })]
  const requests = [
    ["/redeem", { ...redeemed.credentials, handoff: handoffOf(redeemed.page), ...bound }],
    ["/poll", { ...polled.credentials, ...bound }],
  ] as const
  for (const [path, body] of requests) {
    const ask = (from: string) =>
      call(hosted.auth, { path, body, headers: { origin: from, "pkce-protocol": "1" } })
    const stranger = await ask("https://evil.example")
    expect([path, stranger.status, parsed(stranger).error]).toEqual([path, 403, "origin_not_allowed"])
    const answer = await ask(origin)
    expect([path, answer.status]).toEqual([path, 200])
    expect(answer.headers["Set-Cookie"]).toContain(`pkce-${parsed(answer).session_id}=`)
  }
})

/** The browser at the provider, whose answer is made up here. */
async function atProvider(request: Partial<StartRequest> = {}) {
  const login = await hosted.start(request)
  const browser = hosted.browser()
  const response = await browser.visit(login.authorize_url)
  const state = new URL(response.headers.get("location") ?? "").searchParams.get("state") ?? ""
  const back = (query: Record<string, string>) =>
    browser.visit(`${hosted.url}/callback?${new URLSearchParams({ iss: hosted.provider.issuer, ...query })}`)
  return { login, browser, state, back }
}
const told = async (response: Response) =>
  [response.status, response.headers.get("content-type"), await response.text()] as const

it.each([
  ["a refusal", { error: "access_denied" }, "access_denied"],
  ["an error", { error: "invalid_scope", error_description: "no" }, "server_error"],
  ["a code that is none", { code: "none" }, "server_error"],
])("%s of the provider goes to the app, on a page", async (_, answer, error) => {
  const { state, back } = await atProvider()
  const [status, type, html] = await told(await back({ state, ...answer }))
  expect([status, type]).toEqual([200, HTML])
  expect(html).toContain(`error=${error}`)
})

it("4XX: pages where the route refuses, JSON where the request did not get that far", async () => {
  const { login, browser, back } = await atProvider()
  const poll = await hosted.start({ delivery: "poll" })
  const page = await browser.open(poll.authorize_url)
  const gone = `${hosted.url}/login/${"A".repeat(22)}`
  const pages = [
    [410, await browser.visit(gone)],
    [410, await browser.visit(gone, { confirm: "x" })],
    [400, await browser.visit(page.url, { confirm: "x" })],
    [400, await back({ state: `${login.login_id}.${"x".repeat(43)}`, code: "x" })],
    [400, await back({ code: "x" })],
  ] as const
  for (const [status, response] of pages) expect(await told(response)).toMatchObject([status, HTML, {}])
  const text = { method: "POST", headers: { "content-type": "text/plain" }, body: "{}" }
  const large = { method: "POST", body: new URLSearchParams({ confirm: "x".repeat(20_000) }) }
  const early = [
    [400, await browser.visit(`${gone}?code=x`)],
    [400, await fetch(gone, text)],
    [413, await fetch(gone, large)],
  ] as const
  for (const [status, response] of early)
    expect(await told(response)).toMatchObject([status, JSON_TYPE, expect.stringContaining('"error_id"')])
})

it("takes a code from the query at /callback, where every other route refuses it", async () => {
  for (const [path, type] of [
    ["/callback", HTML],
    ["/config", JSON_TYPE],
  ] as const) {
    const answer = await call(hosted.auth, { method: "GET", path, query: "code=x" })
    expect([path, answer.status, answer.headers["Content-Type"]]).toEqual([path, 400, type])
  }
  const { page } = await loggedIn()
  expect(handoffOf(page)).toMatch(/^[\w-]{43}$/)
})

it("5XX: pages where the store is away", async () => {
  const { browser, state, back, login } = await atProvider()
  const { peek } = hosted.store
  Object.assign(hosted.store, { peek: () => Promise.reject(new Error("connection refused")) })
  const answers = [
    await browser.visit(login.authorize_url),
    await browser.visit(login.authorize_url, { confirm: "x" }),
    await back({ state, code: "x" }),
  ]
  Object.assign(hosted.store, { peek })
  for (const response of answers) expect(await told(response)).toMatchObject([503, HTML, {}])
})

it("every answer of the browser's routes, and every success of the app's, has been seen and was as the document says", () => {
  expect(wrong).toEqual([])
  const own = /\/(start|login\/\{id\}|callback|redeem|poll) /
  const documented = statusesOf(document).filter((one) => own.test(one) && !/ [45]\d\d$/.test(one))
  expect(documented.filter((one) => !checker.seen.has(one))).toEqual([])
  expect(documented).toHaveLength(15)
})
