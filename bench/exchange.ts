import { type ChildProcess, fork } from "node:child_process"
import { createPublicKey, type JsonWebKey, verify as rsaVerify } from "node:crypto"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { Pool } from "undici"
import type { PkceServerOptions } from "../packages/server/src/config/options.js"
import type { HttpRequest } from "../packages/server/src/http/message.js"
import { createPkceServer } from "../packages/server/src/server.js"
import { memoryStore } from "../packages/server/src/stores/memory.js"
import type { FinishedLogin } from "../packages/server/src/testing/provider-types.js"
import { cpuOf, interleave, print, ratio, title } from "./measure.js"
import { random, s256 } from "./random.js"

const ROUNDS = 15
const LOGINS = 1_000

const provider: ChildProcess = fork(fileURLToPath(new URL("./exchange-provider.mjs", import.meta.url)))
const [options] = (await once(provider, "message")) as [PkceServerOptions]
const { issuer = "", clientId = "", clientSecret = "" } = options

const auth = createPkceServer({
  ...options,
  secrets: [random()],
  store: memoryStore(),
  onEvent: () => undefined,
  onWarning: () => undefined,
})
await auth.config()
const pool = new Pool(issuer, { connections: 64, keepAliveTimeout: 600_000 })

/** `POST /exchange` as a mount hands it over: from the bytes of the body to the text of the answer. */
async function exchange(request: HttpRequest): Promise<void> {
  const { status, body } = await auth.handle(request)
  if (status !== 200) throw new Error(`${status}: ${body}`)
}

/** The floor: what nobody can leave out, the one call of the provider. */
async function redeem(body: string): Promise<{ id_token: string }> {
  const headers = { "content-type": "application/x-www-form-urlencoded", accept: "application/json" }
  const answer = await pool.request({ method: "POST", path: "/oauth/token", headers, body })
  if (answer.statusCode !== 200) throw new Error(`the floor got ${answer.statusCode}`)
  return (await answer.body.json()) as { id_token: string }
}

const { body: keys } = await pool.request({ method: "GET", path: "/.well-known/jwks.json" })
const [jwk] = ((await keys.json()) as { keys: JsonWebKey[] }).keys
const key = createPublicKey({ key: jwk ?? {}, format: "jwk" })
async function redeemAndVerify(body: string): Promise<void> {
  const [header, payload, signature] = (await redeem(body)).id_token.split(".")
  const signed = Buffer.from(`${header}.${payload}`)
  if (!rsaVerify("sha256", signed, key, Buffer.from(signature ?? "", "base64url"))) throw new Error("forged")
}

function requestOf(login: FinishedLogin): HttpRequest {
  const device = { name: "Ada’s iPhone", platform: "ios", app_version: "4.2.1" }
  const text = JSON.stringify({ ...login, session_challenge: s256(random()), device })
  const bytes = new TextEncoder().encode(text)
  const headers: Record<string, string> = { "content-type": "application/json" }
  return {
    ...{ method: "POST", path: "/exchange", query: "", address: "203.0.113.7" },
    header: (name) => headers[name],
    body: async () => ({ kind: "bytes", bytes }),
  }
}

function formOf({ code, code_verifier, redirect_uri }: FinishedLogin): string {
  const grant = { grant_type: "authorization_code", code, redirect_uri, code_verifier }
  return new URLSearchParams({ ...grant, client_id: clientId, client_secret: clientSecret }).toString()
}

/** CPU of a thousand calls, so many at a time. What they are given is made beforehand. */
function costOf<T>(
  inFlight: number,
  prepare: (login: FinishedLogin) => T,
  call: (input: T) => Promise<unknown>,
) {
  return async () => {
    provider.send(LOGINS)
    const [logins] = (await once(provider, "message")) as [FinishedLogin[]]
    const waiting = logins.map(prepare)
    const work = async () => {
      for (let input = waiting.pop(); input !== undefined; input = waiting.pop()) await call(input)
    }
    return cpuOf(() => Promise.all(Array.from({ length: inFlight }, work)))
  }
}

title("POST /exchange, memory store: CPU in units of undici's Pool.request + JSON")
for (const inFlight of [1, 32]) {
  const costs = await interleave(ROUNDS, {
    floor: costOf(inFlight, formOf, redeem),
    verified: costOf(inFlight, formOf, redeemAndVerify),
    exchange: costOf(inFlight, requestOf, exchange),
  })
  print(`the floor and RS256 by node:crypto, ${inFlight} in flight`, ratio(costs.verified, costs.floor), "x")
  print(`POST /exchange, ${inFlight} in flight`, ratio(costs.exchange, costs.floor), "x", 4.5)
}
await pool.close()
await auth.close()
provider.disconnect()
