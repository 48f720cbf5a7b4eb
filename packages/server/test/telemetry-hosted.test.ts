import * as api from "@opentelemetry/api"
import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest"
import { click, type Hosted, startHosted, targetOf } from "./support/hosted.js"
import { random, s256 } from "./support/server.js"
import { type Recorder, startRecorder } from "./support/telemetry.js"

let hosted: Hosted
let recorder: Recorder

beforeAll(async () => {
  // The provider gives advice to those who run it in production.
  for (const method of ["info", "warn"] as const) vi.spyOn(console, method).mockImplementation(() => {})
  recorder = startRecorder()
  hosted = await startHosted({ provider: { pushed: false }, options: { openTelemetry: api } })
})
afterAll(async () => {
  await hosted.close()
  await recorder.close()
})
beforeEach(() => recorder.forget())

const spansOf = (name: string) => recorder.spans().filter((span) => span.name === name)

function one(name: string) {
  const [span, another] = spansOf(name)
  if (!span || another) throw new Error(`not one ${name}`)
  return span
}

const below = (name: string) =>
  recorder
    .spans()
    .filter(({ parentSpanContext }) => parentSpanContext?.spanId === one(name).spanContext().spanId)
    .map((span) => span.name)

async function redirect() {
  const login = await hosted.start()
  const browser = hosted.browser()
  const target = targetOf(await browser.open(login.authorize_url))
  const credentials = { login_id: login.login_id, code_verifier: login.verifier }
  const handoff = target.searchParams.get("handoff")
  return { login, browser, body: { ...credentials, handoff, session_challenge: s256(random()) } }
}

it("a login by redirect: a span for each step, the provider's calls below the callback, and no secret", async () => {
  const { login, browser, body } = await redirect()
  const { body: grant } = await hosted.post("/redeem", body)
  expect(one("pkce.hosted.start").attributes).toEqual({
    "pkce.hosted.step": "start",
    "pkce.provider": "default",
    "pkce.outcome": "ok",
  })
  expect(one("pkce.hosted.callback").attributes).toEqual({
    "pkce.hosted.step": "callback",
    "pkce.outcome": "ok",
  })
  expect(below("pkce.hosted.callback")).toEqual(expect.arrayContaining(["POST", "pkce.store claim"]))
  expect(below("pkce.hosted.redeem")).toEqual(expect.arrayContaining(["pkce.store create"]))
  const attributes = {
    "pkce.hosted.step": "redeem",
    "pkce.outcome": "ok",
    "pkce.session_id": grant.session_id,
  }
  expect(one("pkce.hosted.redeem").attributes).toEqual({
    ...attributes,
    "pkce.provider": "default",
    "pkce.repeat": false,
  })
  await hosted.post("/redeem", body)
  const [, again] = spansOf("pkce.hosted.redeem")
  expect(again?.attributes).toEqual({ ...attributes, "pkce.repeat": true })
  const told = await recorder.text()
  expect(told).toContain(grant.session_id)
  const callback = new URL(browser.visited.find((url) => url.includes("/auth/callback?")) ?? "").searchParams
  const secrets = [login.verifier, login.state, login.challenge, body.handoff, ...browser.cookies.values()]
  for (const secret of [...secrets, callback.get("code"), callback.get("state"), grant.refresh_token])
    if (secret !== "") expect(told).not.toContain(String(secret))
})

it("a poll that comes too early is no failure", async () => {
  const login = await hosted.start({ delivery: "poll" })
  const poll = () => hosted.post("/poll", { login_id: login.login_id, code_verifier: login.verifier })
  await poll()
  const early = one("pkce.hosted.poll")
  expect([early.attributes, early.status]).toEqual([
    { "pkce.hosted.step": "poll", "pkce.outcome": "pending" },
    { code: api.SpanStatusCode.UNSET },
  ])
  const browser = hosted.browser()
  await click(browser, await browser.open(login.authorize_url))
  await recorder.forget()
  await poll()
  expect(one("pkce.hosted.poll").attributes).toMatchObject({ "pkce.outcome": "ok", "pkce.repeat": false })
})

it("a user whom the provider refuses, and a handoff that is none: ERROR, with reason and error id, and counted", async () => {
  const { body } = await redirect()
  const login = await hosted.start()
  const browser = hosted.browser()
  const leaving = new URL((await browser.visit(login.authorize_url)).headers.get("location") ?? "")
  const state = leaving.searchParams.get("state") ?? ""
  const { issuer } = hosted.provider
  await recorder.forget()
  const query = new URLSearchParams({
    error: "access_denied",
    error_description: "CANARY",
    state,
    iss: issuer,
  })
  const page = await browser.open(`${hosted.url}/callback?${query}`)
  const refused = await hosted.post("/redeem", { ...body, handoff: random() })

  const callback = one("pkce.hosted.callback")
  expect(callback.status).toEqual({ code: api.SpanStatusCode.ERROR, message: "access_denied" })
  expect(callback.attributes).toMatchObject({
    "pkce.provider": "default",
    "pkce.outcome": "access_denied",
    "pkce.reason": "access_denied",
    "error.type": "access_denied",
  })
  expect(page.html).toContain(String(callback.attributes["pkce.error_id"]))
  expect(one("pkce.hosted.redeem").attributes).toEqual({
    "pkce.hosted.step": "redeem",
    "pkce.provider": "default",
    "pkce.outcome": "login_failed",
    "pkce.reason": "handoff_mismatch",
    "pkce.error_id": refused.body.error_id,
    "error.type": "login_failed",
  })
  const points = await recorder.points()
  const named = (name: string) => points.filter((point) => point.name === name)
  expect(named("pkce.logins")).toEqual([
    { name: "pkce.logins", attributes: { "pkce.provider": "default", "pkce.outcome": "failed" }, value: 2 },
  ])
  expect(named("pkce.hosted.duration").map(({ attributes, value }) => [attributes, value])).toEqual(
    expect.arrayContaining([
      [
        {
          "pkce.hosted.step": "callback",
          "pkce.outcome": "access_denied",
          "error.type": "access_denied",
        },
        1,
      ],
      [{ "pkce.hosted.step": "redeem", "pkce.outcome": "login_failed", "error.type": "login_failed" }, 1],
    ]),
  )
  expect(JSON.stringify([points, await recorder.text()])).not.toContain("CANARY")
})

it("the functions of the server are observed as the routes are, and a stolen handoff is a reason of ours", async () => {
  const { body } = await redirect()
  await recorder.forget()
  const { handoff, ...rest } = body
  await hosted.auth.redeem({ ...rest, handoff: String(handoff) })
  await expect(
    hosted.auth.redeem({ ...rest, handoff: String(handoff), session_challenge: s256(random()) }),
  ).rejects.toThrow("login_failed")
  expect(spansOf("pkce.hosted.redeem").map(({ attributes }) => attributes["pkce.outcome"])).toEqual([
    "ok",
    "login_failed",
  ])
  const revoked = (await recorder.points()).filter(
    ({ attributes }) => attributes["pkce.event.type"] === "session.revoked",
  )
  expect(revoked.map(({ attributes }) => attributes["pkce.reason"])).toEqual(["handoff_replay"])
})
