import { connect } from "node:net"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { mounts, type Running } from "../support/mounts.js"
import { type Fixture, startServer, wire } from "../support/server.js"

/** Writes bytes as they are over one connection of their own. */
function connection(origin: string, bytes: string) {
  const { hostname, port } = new URL(origin)
  const socket = connect(Number(port), hostname)
  let received = ""
  socket.setEncoding("latin1")
  socket.on("data", (text) => {
    received += text
  })
  socket.on("error", () => undefined)
  socket.write(bytes)
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()))
  const status = () => Number(received.slice("HTTP/1.1 ".length, "HTTP/1.1 200".length))
  return { closed, status, destroy: () => socket.destroy() }
}

const head = (method: string, path: string, ...lines: string[]) =>
  [`${method} ${path} HTTP/1.1`, "Host: x", ...lines, "", ""].join("\r\n")
const JSON_HEAD = [
  "POST",
  "/auth/exchange",
  "Content-Type: application/json",
  "Transfer-Encoding: chunked",
] as const

/** The status of one request whose bytes are written as they are. */
async function ask(origin: string, bytes: string): Promise<number> {
  const { closed, status } = connection(origin, bytes)
  await closed
  return status()
}

async function turnsUntil(isSo: () => boolean, each = () => undefined as unknown) {
  while (!isSo()) {
    each()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

// Where a body parser of the team's runs first, it is its limits that hold.
const own = Object.entries(mounts).filter(([name]) => !name.includes("json()"))

describe.each(own)("over a real connection: %s", (name, start) => {
  let fixture: Fixture
  let app: Running
  beforeAll(async () => {
    fixture = await startServer({ allowedOrigins: ["https://app.example.com"] })
    app = await start(fixture.auth, () => undefined)
  })
  afterAll(async () => {
    await app.close()
    await fixture.close()
  })

  it("C10: a body that trickles is 408 after ten seconds, and the connection ends", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    try {
      const slow = connection(app.origin, `${head(...JSON_HEAD)}1\r\n{\r\n`)
      await turnsUntil(() => vi.getTimerCount() > 0)
      vi.advanceTimersByTime(9_999)
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
      expect(slow.status()).toBe(0)
      vi.advanceTimersByTime(1)
      await turnsUntil(() => slow.status() > 0)
      expect(slow.status()).toBe(408)
      // The adapters of Web frameworks leave the rest of a body a moment to come.
      let over = false
      void slow.closed.then(() => {
        over = true
      })
      await turnsUntil(
        () => over,
        () => vi.advanceTimersByTime(100),
      )
    } finally {
      vi.useRealTimers()
    }
    expect(fixture.store.calls).toEqual({})
  })

  it("C9: a chunked body over 8 KiB is 413 before its end, and the connection ends", async () => {
    const chunk = `1000\r\n${"x".repeat(4096)}\r\n`
    expect(await ask(app.origin, head(...JSON_HEAD) + chunk.repeat(3))).toBe(413)
  })

  it.each([
    ["DELETE", "/auth/sessions/..%2f"],
    ["GET", "/auth//config"],
    ["GET", "/auth/__proto__"],
    ["GET", "/auth/logout/constructor"],
    ["GET", "/auth/"],
    ["OPTIONS", "/auth/nothing"],
  ])("C6: %s %s finds nothing", async (method, path) => {
    if (name === "next" && method === "OPTIONS") return
    expect(await ask(app.origin, head(method, path, "Connection: close"))).toBe(404)
  })

  it("C8: HEAD is no GET, and a body without a type is refused", async () => {
    expect(await ask(app.origin, head("HEAD", "/auth/config", "Connection: close"))).toBe(405)
    const untyped = head("POST", "/auth/exchange", "Content-Length: 2", "Connection: close")
    expect(await ask(app.origin, `${untyped}{}`)).toBe(415)
  })

  it("C9: lengths that contradict one another are refused", async () => {
    const two = ["Content-Length: 2", "Transfer-Encoding: chunked"]
    const json = "Content-Type: application/json"
    expect(await ask(app.origin, `${head("POST", "/auth/exchange", json, ...two)}0\r\n\r\n`)).toBe(400)
  })

  it("F8: any case of the scheme is taken; a token that is too long, doubled or in the query is not", async () => {
    const exchanged = await fetch(`${app.origin}/auth/exchange`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(wire(fixture.login())),
    })
    const { session_token: token } = (await exchanged.json()) as { session_token: string }
    const asked = (path: string, ...lines: string[]) =>
      ask(app.origin, head("GET", path, "Connection: close", ...lines))
    expect(await asked("/auth/session", `Authorization: bEARER   ${token}`)).toBe(200)
    expect(await asked("/auth/session", `Authorization: Bearer ${token},${token}`)).toBe(401)
    expect(await asked("/auth/session", `Authorization: Bearer ${token}${"a".repeat(9000)}`)).toBe(401)
    expect(await asked(`/auth/session?session_token=${token}`)).toBe(400)
    expect(await asked("/auth/session", "Authorization: Bearer \xff\xfe")).toBe(401)
    const foreign = await startServer()
    const stranger = await foreign.auth.exchange(wire(foreign.login()))
    await foreign.close()
    expect(await asked("/auth/session", `Authorization: Bearer ${stranger.session_token}`)).toBe(401)
  })
})
