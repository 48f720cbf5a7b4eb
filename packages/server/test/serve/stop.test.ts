import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { Agent, request } from "node:http"
import { connect, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { startFakeProvider } from "../../src/testing/provider.js"
import type { FakeProvider } from "../../src/testing/provider-types.js"
import { type RunningServe, startServe, type Variables } from "../support/serve.js"
import { random, s256 } from "../support/server.js"

let idp: FakeProvider
let variables: Variables
let server: RunningServe
let folder: string

beforeEach(async () => {
  // Access tokens that are due from their first minute on.
  idp = await startFakeProvider({ accessTokenLifetime: 60 })
  folder = mkdtempSync(join(tmpdir(), "pkce-serve-"))
  const { issuer, clientId, clientSecret, redirectUris } = idp.options()
  variables = {
    PKCE_ISSUER: issuer,
    PKCE_CLIENT_ID: clientId,
    PKCE_CLIENT_SECRET: String(clientSecret),
    PKCE_REDIRECT_URIS: redirectUris.join(" "),
    PKCE_SECRET: random(),
    PKCE_STORE: "memory",
    PKCE_ALLOW_LOOPBACK_HTTP: "true",
  }
})
afterEach(async () => {
  server?.child.kill("SIGKILL")
  await idp.close()
  rmSync(folder, { recursive: true })
})

/** A connection that speaks by hand; what it received is in `text`. */
async function rawConnection(port: number) {
  const socket = connect(port, "127.0.0.1")
  const received = { text: "" }
  socket.on("data", (chunk) => {
    received.text += chunk
  })
  socket.on("error", () => undefined)
  const closed = new Promise((resolve) => socket.once("close", resolve))
  await once(socket, "connect")
  return { socket, received, closed }
}

/** A request of which the last byte is still to come. */
function begin(socket: Socket): { finish(): void } {
  const body = JSON.stringify({ code: "x" })
  const head = `POST /auth/exchange HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
  socket.write(head + body.slice(0, -1))
  return { finish: () => void socket.write(body.slice(-1)) }
}

const refused = async (port: number) => {
  const socket = connect(port, "127.0.0.1")
  return Promise.race([
    once(socket, "connect").then(() => false),
    new Promise((resolve) => socket.once("error", () => resolve(true))),
  ])
}

describe("SIGTERM", () => {
  it("during a login: takes nothing more, answers what the provider was asked for, and ends with 0", async () => {
    server = await startServe(variables)
    idp.faults.token = { delay: 1000 }
    const login = server.post("/auth/exchange", idp.finishLogin())
    while (idp.calls.token === 0) await sleep(10)
    server.child.kill("SIGTERM")
    await server.said("serve.stopping")
    expect(await refused(server.port)).toBe(true)
    const answer = await login
    expect([answer.status, answer.headers.get("connection")]).toEqual([200, "close"])
    expect(await server.ended).toBe(0)
    expect(server.lines.at(-1)).toMatchObject({ type: "serve.stopped", whole: true })
  })

  it("while a body arrives: waits for its rest, and ends the connection with the answer", async () => {
    server = await startServe(variables)
    const { socket, received, closed } = await rawConnection(server.port)
    const rest = begin(socket)
    // Answered on another connection: the one above has been read by then.
    await fetch(`${server.origin}/healthz`)
    server.child.kill("SIGTERM")
    await server.said("serve.stopping")
    rest.finish()
    await closed
    expect(received.text).toMatch(/^HTTP\/1\.1 400 [\s\S]*connection: close/i)
    expect(await server.ended).toBe(0)
  })

  it("does not wait for connections that are kept alive, or that never said a word", async () => {
    server = await startServe(variables)
    const agent = new Agent({ keepAlive: true })
    const kept = request(`${server.origin}/healthz`, { agent })
    kept.end()
    const [answer] = await once(kept, "response")
    answer.resume()
    await once(answer, "end")
    expect(answer.headers.connection).toBe("keep-alive")
    const silent = await rawConnection(server.port)
    expect(await server.stop()).toBe(0)
    await silent.closed
    agent.destroy()
  })

  it("the second one ends it at once, and so does SIGINT after it", async () => {
    for (const [signal, code] of [["SIGTERM", 143] as const, ["SIGINT", 130] as const]) {
      server = await startServe(variables)
      const { socket } = await rawConnection(server.port)
      begin(socket)
      await fetch(`${server.origin}/healthz`)
      server.child.kill("SIGTERM")
      await server.said("serve.stopping")
      expect(await server.stop(signal)).toBe(code)
      expect(server.output()).not.toContain("serve.stopped")
    }
  })

  it("R25: a refresh of the provider's tokens that is under way is saved first", async () => {
    idp.faults.refresh = { delay: 1000 }
    const stored = {
      ...variables,
      PKCE_STORE: `sqlite:${join(folder, "auth.db")}`,
      PKCE_SCOPE: "openid offline_access",
    }
    server = await startServe({ ...stored, PKCE_BACKGROUND_REFRESH: "false" })
    const login = {
      ...idp.finishLogin({ scope: "openid offline_access" }),
      session_challenge: s256(random()),
    }
    expect((await server.post("/auth/exchange", login)).status).toBe(200)
    expect(await server.stop()).toBe(0)
    server = await startServe(stored)
    while (idp.calls.refresh === 0) await sleep(10)
    expect(await server.stop()).toBe(0)
    const types = server.lines.map(({ type }) => type)
    expect(types.slice(-2)).toEqual(["idp.refresh.succeeded", "serve.stopped"])
  })
})

it("lives on when whoever read its log has gone", async () => {
  server = await startServe(variables)
  server.child.stdout?.destroy()
  server.child.stderr?.destroy()
  for (let i = 0; i < 3; i++) {
    // Each is an event, and so a line that nobody takes.
    expect((await fetch(`${server.origin}/auth/nothing`)).status).toBe(404)
  }
  expect(await server.stop()).toBe(0)
})

it("GR2: what nobody caught ends it with 1, and says where it happened but no value", async () => {
  const throwing =
    "process.once('SIGUSR2', () => { throw Object.assign(new RangeError('CANARY'), { value: 'CANARY' }) })"
  const rejecting = "process.once('SIGUSR2', () => { Promise.reject(new RangeError('CANARY')) })"
  for (const code of [throwing, rejecting]) {
    server = await startServe(variables, undefined, [
      "--import",
      `data:text/javascript,${encodeURIComponent(code)}`,
    ])
    expect(await server.stop("SIGUSR2")).toBe(1)
    expect(server.output()).toContain('"type":"serve.crashed","code":"RangeError","places":"at ')
    expect(decodeURIComponent(server.output())).not.toContain("new RangeError('CANARY')\n")
    expect(server.output().replaceAll(encodeURIComponent(code), "")).not.toContain("CANARY")
  }
})
