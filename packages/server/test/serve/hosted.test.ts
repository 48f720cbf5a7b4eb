import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Grant, StartAnswer, StartRequest } from "@pkce/protocol"
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest"
import { click, newBrowser, targetOf } from "../support/hosted.js"
import { running } from "../support/mounts.js"
import { type RealProvider, startRealProvider } from "../support/real-provider.js"
import { type RunningServe, startServe, type Variables } from "../support/serve.js"
import { random, s256 } from "../support/server.js"

let idp: RealProvider
let folder: string
let variables: Variables
let server: RunningServe
/** All that went to the provider, the app or the browser, and stands in no log. */
let secrets: unknown[]

beforeAll(async () => {
  // It gives advice to those who run it in production.
  for (const method of ["info", "warn"] as const) vi.spyOn(console, method).mockImplementation(() => {})
  idp = await startRealProvider({ redirectUris: ["http://127.0.0.1/auth/callback"] })
  folder = mkdtempSync(join(tmpdir(), "pkce-serve-hosted-"))
})
afterAll(async () => {
  await idp.close()
  rmSync(folder, { recursive: true })
})

beforeEach(async () => {
  const { issuer, clientId, clientSecret, clientAuthentication, redirectUris, scope } = idp.options()
  const port = await freePort()
  const secret = random()
  secrets = [secret, clientSecret]
  variables = {
    PKCE_ISSUER: issuer,
    PKCE_CLIENT_ID: clientId,
    PKCE_CLIENT_SECRET: clientSecret,
    PKCE_CLIENT_AUTHENTICATION: clientAuthentication,
    PKCE_REDIRECT_URIS: redirectUris.join(" "),
    PKCE_SCOPE: scope,
    PKCE_SECRET: secret,
    PKCE_PORT: String(port),
    PKCE_URL: `http://127.0.0.1:${port}/auth`,
    PKCE_STORE: `sqlite:${join(folder, `${random()}.db`)}`,
    PKCE_HOSTED: "true",
    PKCE_HOSTED_NAME: "The Team",
    PKCE_ALLOW_LOOPBACK_HTTP: "true",
  }
})
afterEach(() => server.stop())

/** The browser must come back to the same port after a restart. */
async function freePort(): Promise<number> {
  const { origin, close } = await running(createServer())
  await close()
  return Number(new URL(origin).port)
}

async function start(request: Pick<StartRequest, "delivery" | "redirect_uri" | "device">) {
  const verifier = random()
  const state = random()
  const answer = await server.post("/auth/start", { ...request, state, code_challenge: s256(verifier) })
  const login = (await answer.json()) as StartAnswer
  expect([answer.status, login.authorize_url]).toEqual([200, `${variables.PKCE_URL}/login/${login.login_id}`])
  secrets.push(verifier, state)
  return { state, credentials: { login_id: login.login_id, code_verifier: verifier }, ...login }
}

const flowCookie = ({ cookies }: ReturnType<typeof newBrowser>, { login_id }: StartAnswer) =>
  cookies.get(`pkce-login-${login_id}`)

async function grantOf(answer: Response): Promise<Grant> {
  const grant = (await answer.json()) as Grant
  expect([answer.status, grant]).toEqual([200, expect.objectContaining({ token_type: "Bearer" })])
  secrets.push(grant.session_token, grant.refresh_token)
  return grant
}

async function restart(): Promise<void> {
  expect(await server.stop()).toBe(0)
  noSecretIn(server.output())
  server = await startServe(variables)
}

function noSecretIn(output: string): void {
  for (const secret of secrets) {
    expect(String(secret)).not.toMatch(/^(undefined|)$/)
    expect(output).not.toContain(secret)
  }
}

it("logs in by poll, with the click that PKCE_HOSTED_POLL is warned of", async () => {
  variables = { ...variables, PKCE_HOSTED_POLL: "true" }
  server = await startServe(variables)
  expect(server.output()).toContain("hosted.poll: ")
  const login = await start({ delivery: "poll", device: { name: "A television" } })
  const line = random()
  const poll = () => server.post("/auth/poll", { ...login.credentials, session_challenge: s256(line) })
  expect((await poll()).status).toBe(202)
  const browser = newBrowser()
  const page = await browser.open(login.authorize_url)
  for (const word of ["A television", "The Team"]) expect(page.html).toContain(word)
  expect((await click(browser, page)).status).toBe(200)
  const grant = await grantOf(await poll())
  const refreshed = await grantOf(
    await server.post("/auth/refresh", {
      refresh_token: grant.refresh_token,
      session_verifier: line,
      session_challenge: s256(random()),
    }),
  )
  expect(refreshed.session_id).toBe(grant.session_id)
  secrets.push(line, flowCookie(browser, login))
  expect(await server.stop()).toBe(0)
  expect(server.lines.map(({ type }) => type)).toEqual(
    expect.arrayContaining(["auth.hosted.started", "auth.exchange.succeeded"]),
  )
  noSecretIn(server.output())
})

it("logs in by redirect, and is restarted on each leg of the way", async () => {
  server = await startServe(variables)
  const login = await start({ delivery: "redirect", redirect_uri: idp.options().redirectUris[0] ?? "" })
  await restart()

  // The browser has gone to the provider, and comes back to another process.
  const browser = newBrowser()
  const leaving = await browser.visit(login.authorize_url)
  expect([leaving.status, leaving.headers.get("location")]).toEqual([
    303,
    expect.stringContaining(idp.issuer),
  ])
  secrets.push(flowCookie(browser, login))
  await restart()
  const page = await browser.open(leaving.headers.get("location") ?? "")
  const target = targetOf(page)
  const { handoff = "", ...rest } = Object.fromEntries(target.searchParams)
  expect(rest).toEqual({ state: login.state, iss: variables.PKCE_URL })
  secrets.push(handoff)
  await restart()

  const line = random()
  const body = { ...login.credentials, handoff, session_challenge: s256(line) }
  const grant = await grantOf(await server.post("/auth/redeem", body))
  expect(grant.user_info).toMatchObject({ idp_sub: "ada" })
  await restart()

  // The answer was lost on its way: an identical repeat is answered with the identical session.
  const again = await grantOf(await server.post("/auth/redeem", body))
  expect([again.session_id, again.refresh_token]).toEqual([grant.session_id, grant.refresh_token])
  expect((await server.post("/auth/poll", login.credentials)).status).toBe(400)
  secrets.push(line)
  expect(await server.stop()).toBe(0)
  noSecretIn(server.output())
})

it("offers neither where nothing is set, and no poll where only PKCE_HOSTED is", async () => {
  const request = { delivery: "poll", state: random(), code_challenge: s256(random()) }
  const { PKCE_HOSTED: _, PKCE_HOSTED_NAME: __, ...without } = variables
  const answers: unknown[] = []
  for (const some of [without, variables]) {
    server = await startServe(some)
    const config = await fetch(`${server.origin}/auth/config`)
    const started = await server.post("/auth/start", request)
    answers.push([((await config.json()) as { hosted: unknown }).hosted, started.status])
    expect(server.output()).not.toContain("hosted.poll")
    expect(await server.stop()).toBe(0)
  }
  expect(answers).toEqual([
    [[], 404],
    [["redirect", "webview"], 400],
  ])
})
