import { randomBytes } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createPkceClient, type Platform, webCrypto } from "@pkce/client"
import { cli } from "@pkce/client/cli"
import { createPkceServer, memoryStore } from "@pkce/server"
import { nodeAuth } from "@pkce/server/node"
import {
  createClock,
  logInHeadless,
  type ProviderEvent,
  startLocalProvider,
} from "@pkce-examples/local-provider"
import { expect, it } from "vitest"
import { watchBackend } from "../src/backend.js"
import { cut, type Step, watchApp } from "../src/index.js"

// RFC 7636 Appendix B.
const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
const client = { issuer: "http://127.0.0.1:9", clientId: "client", clientSecret: "s3cr3t" }
const jwt = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln`

/** What a provider tells of one login. */
const redeemed = (changes: object = {}, claims: object = {}): ProviderEvent[] => [
  { type: "authorization_requested", params: { state: "state", nonce: "nonce" } },
  { type: "user_logged_in", account: "ada" },
  { type: "code_issued", code: "code", state: "state", iss: client.issuer, account: "ada" },
  {
    type: "code_redeemed",
    code: "code",
    codeVerifier: verifier,
    codeChallenge: challenge,
    clientAuthentication: "client_secret_post",
    idToken: jwt({ iss: client.issuer, aud: client.clientId, nonce: "nonce", exp: 4e9, ...claims }),
    accessToken: "access",
    refreshToken: undefined,
    ...changes,
  },
]

function backendSteps(events: ProviderEvent[], isSealed?: (secrets: string[]) => boolean) {
  const steps: Omit<Step, "at">[] = []
  const watch = watchBackend(client, (step) => steps.push(step), isSealed)
  for (const event of events) watch.onProviderEvent(event)
  watch.onEvent({ type: "auth.exchange.succeeded", at: 0, session_id: "sid-0123456789" })
  return steps
}
const failed = (steps: Omit<Step, "at">[]) =>
  steps.flatMap((step) => step.checks.filter((check) => !check.ok).map((check) => check.text))

it("tells steps 3, 6 and 7, and every comparison holds for an honest login", () => {
  const steps = backendSteps(redeemed(), () => true)
  expect(steps.map((step) => step.number)).toEqual([3, 6, 7])
  expect(steps.flatMap((step) => step.checks)).toHaveLength(7)
  expect(failed(steps)).toEqual([])
})

it.each([
  ["another verifier", redeemed({ codeVerifier: "x".repeat(43) }), /^S256\(code_verifier\)/],
  ["another issuer", redeemed({}, { iss: "http://127.0.0.1:8" }), /^iss http:\/\/127.0.0.1:8 = /],
  ["another audience", redeemed({}, { aud: "other" }), /^aud other = /],
  ["another nonce", redeemed({}, { nonce: "other" }), /^nonce in the ID token/],
  ["no nonce", redeemed({}, { nonce: undefined }), /^nonce in the ID token/],
  ["an end in the past", redeemed({}, { exp: 1 }), /^exp is -/],
])("says so where a value differs: %s", (_, events, text) => {
  expect(failed(backendSteps(events))).toEqual([expect.stringMatching(text)])
})

it("says so where a token can be read in the database", () => {
  const asked: string[][] = []
  const steps = backendSteps(redeemed({ refreshToken: "refresh" }), (secrets) => {
    asked.push(secrets)
    return false
  })
  expect(asked).toEqual([[expect.stringMatching(/^e30\./), "access", "refresh"]])
  expect(failed(steps)).toEqual(["none of the provider's tokens can be read in the database"])
})

/** What the app's watch tells of one login in which the callback, the request and the answer may be changed. */
async function appSteps(changes: { url?: string; callback?: string; verifier?: string; answer?: object }) {
  const steps: Omit<Step, "at">[] = []
  const answers: Record<string, object> = {
    "/auth/config": { providers: [{ issuer: "http://127.0.0.1:9" }] },
    "/auth/exchange": { session_token: "eyJ", refresh_token: "r1", ...changes.answer },
  }
  const platform: Platform = {
    name: "test",
    crypto: webCrypto,
    storage: { read: async () => null, update: async () => {} },
    http: async (input) => Response.json(answers[new URL(String(input)).pathname]),
    browser: {
      start: (redirectUri) => ({
        redirectUri,
        open: async () => ({
          type: "callback",
          url: `app:/callback?code=code&${changes.callback ?? "state=state&iss=http://127.0.0.1:9"}`,
        }),
        close() {},
      }),
    },
  }
  const watched = watchApp(platform, (step) => steps.push(step))
  const clock = { wall: Date.now, monotonic: Date.now, after: () => () => undefined }
  await watched.http?.("http://127.0.0.1:8/auth/config")
  const run = await watched.browser.start("app:/callback", clock)
  await run.open(
    `http://127.0.0.1:9/auth?state=state&nonce=n&code_challenge=${challenge}${changes.url ?? ""}`,
    () => true,
  )
  const body = JSON.stringify({ code: "code", code_verifier: changes.verifier ?? verifier })
  await watched.http?.("http://127.0.0.1:8/auth/exchange", { method: "POST", body })
  return steps
}

it.each([
  ["nothing", {}, []],
  ["another state", { callback: "state=other&iss=http://127.0.0.1:9" }, [/^state of the callback/]],
  ["another issuer", { callback: "state=state&iss=http://127.0.0.1:7" }, [/^iss http:\/\/127.0.0.1:7 = /]],
  ["another verifier", { verifier: "x".repeat(43) }, [/^S256\(code_verifier\)/]],
  ["a verifier in the URL", { url: "&code_verifier=x" }, [/^no code_verifier/]],
  ["a client secret in the URL", { url: "&client_secret=x" }, [/^no client_secret/]],
  ["a provider's token in the answer", { answer: { id_token: "eyJ" } }, [/^no access_token/]],
])("the app's side says so where a value differs: %s", async (_, changes, texts) => {
  const steps = await appSteps(changes)
  expect(steps.map((step) => step.number)).toEqual([1, 2, 4, 5, 8])
  expect(failed(steps)).toEqual(texts.map((text) => expect.stringMatching(text)))
})

/** One login, one call after the token's end, one logout, with a provider, a backend and a client that are real. */
async function wholeFlow() {
  const folder = await mkdtemp(join(tmpdir(), "pkce-flow-"))
  const steps: Step[] = []
  const tell = (step: Omit<Step, "at">) => steps.push({ ...step, at: Date.now() })
  const provider = await startLocalProvider({ onEvent: (event) => watch.onProviderEvent(event) })
  const watch = watchBackend(provider, tell)
  const auth = createPkceServer({
    issuer: provider.issuer,
    clientId: provider.clientId,
    clientSecret: provider.clientSecret,
    redirectUris: ["http://127.0.0.1/callback"],
    secrets: [randomBytes(32).toString("base64")],
    store: memoryStore(),
    allowLoopbackHttp: true,
    onEvent: watch.onEvent,
    onWarning: () => {},
  })
  const server = createServer(nodeAuth(auth))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const clock = createClock()
  const secrets: string[] = [provider.clientSecret]
  const spy: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    const answer = await response
      .clone()
      .json()
      .catch(() => ({}))
    for (const body of [JSON.parse(String(init?.body ?? "{}")), answer]) {
      for (const name of [
        "code",
        "code_verifier",
        "nonce",
        "session_verifier",
        "session_token",
        "refresh_token",
      ]) {
        if (typeof body[name] === "string") secrets.push(body[name])
      }
    }
    return response
  }
  const platform = cli({
    directory: folder,
    openBrowser: async (url) => {
      secrets.push(new URL(url).searchParams.get("state") ?? "")
      await logInHeadless(url, { user: "Ada Lovelace" })
    },
  })
  const app = createPkceClient({
    server: `http://127.0.0.1:${(server.address() as AddressInfo).port}/auth`,
    redirectUri: "http://127.0.0.1/callback",
    platform: watchApp({ ...platform, clock, http: spy }, tell),
  })
  try {
    await app.login()
    clock.advance(3600)
    await app.fetch("/elsewhere")
    await app.logout()
  } finally {
    server.close()
    server.closeAllConnections()
    await provider.close()
    await auth.close()
    await rm(folder, { recursive: true, force: true })
  }
  return { steps, secrets }
}

it("tells a real login in eight steps, then the refresh, the call and the end", async () => {
  const { steps } = await wholeFlow()
  expect(steps.map((step) => step.number ?? step.chapter)).toEqual([
    ...[1, 2, 3, 4, 5, 6, 7, 8],
    ...["refresh", "refresh", "refresh", "call", "logout", "logout"],
  ])
  // There is no such page here, and the drawing does not pretend that there was.
  expect(failed(steps)).toEqual(["the backend answers 404"])
})

it("GR2: no step holds a secret, only three characters of it", async () => {
  const { steps, secrets } = await wholeFlow()
  expect(secrets.length).toBeGreaterThan(10)
  const text = JSON.stringify(steps)
  for (const secret of secrets) {
    expect(secret.length).toBeGreaterThan(20)
    expect(text.includes(secret.slice(0, 8))).toBe(false)
  }
  expect(cut("abcdefgh")).toBe("abc…")
})
