import * as api from "@opentelemetry/api"
import { afterAll, expect, it, vi } from "vitest"
import type { Store } from "../src/stores/contract.js"
import { memoryStore } from "../src/stores/memory.js"
import { PAGE as HEADERS, step } from "./support/bound.js"
import {
  grantOf,
  handoffOf,
  type Login,
  openHosted,
  PAGE,
  polling,
  redemption,
  tokenOf,
  withParameter,
} from "./support/hosted-room.js"
import { random, withoutPush } from "./support/server.js"
import { spellingsOf } from "./support/spellings.js"
import { startRecorder } from "./support/telemetry.js"

const printed: unknown[] = []
const spies = (["log", "info", "warn", "error", "debug"] as const).map((name) =>
  vi.spyOn(console, name).mockImplementation((...args) => void printed.push(args)),
)
afterAll(() => {
  for (const spy of spies) spy.mockRestore()
})

/** Everything that is ever given to the store, as bytes. */
function heardStore(inner: Store) {
  const heard: Buffer[] = []
  const hear = (value: unknown): void => {
    if (typeof value === "string" || value instanceof Uint8Array) heard.push(Buffer.from(value as string))
    else if (typeof value === "object" && value !== null) Object.values(value).forEach(hear)
  }
  const store = new Proxy(inner, {
    get(target, name: keyof Store) {
      const member = target[name]
      if (typeof member !== "function") return member
      return (...args: unknown[]) => {
        args.forEach(hear)
        return Reflect.apply(member, target, args)
      }
    },
  })
  return { store, dump: () => Buffer.concat(heard.flatMap((bytes) => [bytes, Buffer.from("\n")])) }
}

const holds = (whole: Buffer, secret: string) =>
  spellingsOf(secret).some((spelling) => whole.includes(spelling))

it("GR2: no secret of a hosted login is in an event, a span, an error, the console or the store, or in a URL of ours", async () => {
  const recorder = startRecorder()
  const { store, dump } = heardStore(withoutPush(memoryStore()))
  const room = await openHosted({ store, openTelemetry: api })
  /** By what it is. */
  const secrets = new Map<string, string>()
  const refusals: unknown[] = []
  const urls: string[] = []
  let number = 0
  const keep = (what: string, value: unknown) => void secrets.set(`${what} ${number++}`, String(value))
  room.idp.faults.token = {
    json(body) {
      for (const name of ["access_token", "id_token", "refresh_token"]) if (body[name]) keep(name, body[name])
      return body
    },
  }
  async function post(path: string, body: object) {
    const answer = await room.post(path, body, { headers: { ...HEADERS, "sec-fetch-site": "same-origin" } })
    if (answer.status >= 400) refusals.push(answer)
    const { session_token, refresh_token } = JSON.parse(answer.body)
    if (session_token) keep("session token", session_token)
    if (refresh_token) keep("refresh token", refresh_token)
    const cookie = /=([^;]+)/.exec(answer.headers["Set-Cookie"] ?? "")?.[1]
    if (cookie) keep("session cookie", cookie)
    return answer
  }
  async function start(request: object): Promise<Login> {
    const login = await room.start({ login_hint: `${random()}@example.com`, ...request })
    keep("app's verifier", login.verifier)
    keep("app's state", login.state)
    keep("app's challenge", login.challenge)
    urls.push(login.authorize_url)
    return login
  }
  async function comeBack(login: Login, change = (url: string) => url) {
    const browser = room.browser()
    const first = await browser.visit(login.authorize_url)
    if (tokenOf(first)) keep("confirm token", tokenOf(first))
    const callback = await browser.logIn(login)
    for (const value of browser.cookies.values()) keep("flow cookie", value)
    keep("code", new URL(callback).searchParams.get("code"))
    keep("flow state", String(new URL(callback).searchParams.get("state")).split(".")[1])
    const [stranger, page] = [await room.browser().visit(callback), await browser.visit(change(callback))]
    urls.push(...[first, page].map(({ headers }) => String(headers.Location)))
    refusals.push([stranger])
    return page
  }

  const line = random()
  keep("line", line)
  const redirect = await start({})
  const handoff = handoffOf(await comeBack(redirect))
  keep("handoff", handoff)
  const bound = { ...redemption(redirect, handoff, line), bind: "cookie" }
  await post("/redeem", { ...bound, handoff: random() })
  const granted = await post("/redeem", bound)
  const held = { token: String(grantOf(granted).refresh_token), verifier: line }
  await post("/refresh", step(held))
  await post("/redeem", redemption(redirect, handoff, random()))
  const webview = await start({ delivery: "webview", redirect_uri: PAGE })
  const stolen = handoffOf(await comeBack(webview))
  keep("handoff", stolen)
  await post("/redeem", { ...redemption(webview, stolen, line), code_verifier: random() })
  const polled = await start({ delivery: "poll" })
  await post("/poll", polling(polled, line))
  await comeBack(polled)
  await post("/poll", { ...polling(polled, line), code_verifier: random() })
  await post("/poll", polling(polled, line))
  await comeBack(await start({}), (url) => `${withParameter(url, "code", null)}&error=${url.slice(-60)}`)
  await comeBack(await start({}), (url) => withParameter(url, "code", "x"))
  await comeBack(await start({}), (url) => withParameter(url, "iss", url))
  for (const fault of [{ hangUp: "after" as const }, { status: 500 }]) {
    room.idp.faults.token = fault
    await comeBack(await start({}))
  }
  refusals.push(
    await room.auth.redeem(redemption(redirect, handoff, random())).catch((error) => [error.stack, error]),
  )
  for (const { endpoint, body } of room.idp.requests)
    if (endpoint === "token") keep("flow verifier", new URLSearchParams(body).get("code_verifier"))
  for (const { endpoint, url } of room.idp.requests)
    if (endpoint === "authorize") keep("nonce", new URL(url, room.idp.origin).searchParams.get("nonce"))

  const kinds = new Set([...secrets.keys()].map((what) => what.replace(/ \d+$/, "")))
  expect(kinds.size).toBe(16)
  const told = Buffer.from(
    JSON.stringify([room.events, room.warnings, printed, refusals]) + (await recorder.text()),
  )
  const found = (whole: Buffer) =>
    [...secrets].filter(([, secret]) => holds(whole, secret)).map(([what]) => what)
  expect(found(told)).toEqual([])
  expect(found(dump())).toEqual([])
  // Of what leads to the provider its state, and nothing that opens anything.
  const opening = /verifier|cookie|handoff|token|line|code|app/
  expect(found(Buffer.from(urls.join("\n"))).filter((what) => opening.test(what))).toEqual([])
  // The search sees what is there.
  expect(told.includes("handoff_replay")).toBe(true)
  expect(dump().includes(redirect.login_id)).toBe(true)
  await room.close()
  await recorder.close()
})
