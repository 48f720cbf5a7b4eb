import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, readdir, rm } from "node:fs/promises"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { PkceEvent } from "../../server/src/events.js"
import { createPkceServer } from "../../server/src/server.js"
import type { PkceServer } from "../../server/src/server-types.js"
import { startFakeProvider } from "../../server/src/testing/provider.js"
import { createPkceClient } from "../src/client.js"
import { cli } from "../src/platforms/cli.js"
import type { Said } from "./support/process.js"

const HOUR = 3_600_000
const REDIRECT = "http://127.0.0.1/callback"

let folder: string
let base: string
let close: () => Promise<void>
const events: PkceEvent[] = []
const programs: ChildProcess[] = []
/** Every refresh that arrived, as it was sent. */
const asked: string[] = []
/** What happens to the next refresh: `before` and `after` it is carried out, and before its answer leaves. */
let meanwhile: { before?: () => Promise<unknown>; after?: () => Promise<unknown> } = {}

/** The backend, and somebody in front of it who looks at every refresh. */
async function serve(auth: PkceServer, request: IncomingMessage, response: ServerResponse) {
  const { method = "GET", url = "" } = request
  const headers = { "Content-Type": request.headers["content-type"] ?? "", "Pkce-Protocol": "1" }
  const body = Buffer.concat(await request.toArray()).toString()
  const isRefresh = url === "/auth/refresh"
  const { before, after } = isRefresh ? meanwhile : {}
  if (isRefresh) {
    asked.push(body)
    meanwhile = {}
  }
  await before?.()
  const answer = await auth.fetch(new Request(new URL(url, base), { method, headers, body: body || null }))
  await after?.()
  response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text())
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pkce-processes-"))
  events.splice(0)
  asked.splice(0)
  const idp = await startFakeProvider()
  const auth = createPkceServer({
    ...idp.options(),
    redirectUris: [REDIRECT],
    secrets: ["processes-test-secret-0123456789abcdef"],
    rateLimit: false,
    onEvent: (event) => void events.push(event),
    onWarning: () => {},
  })
  const server = createServer((request, response) => void serve(auth, request, response))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/auth`
  close = async () => {
    server.closeAllConnections()
    server.close()
    await auth.close()
    await idp.close()
  }
})
afterEach(async () => {
  for (const program of programs.splice(0)) program.kill("SIGKILL")
  await close()
  await rm(folder, { recursive: true, force: true })
})

async function signIn() {
  const openBrowser = async (url: string) => {
    const { headers } = await fetch(url, { redirect: "manual" })
    await fetch(headers.get("location") ?? "")
  }
  const app = createPkceClient({
    server: base,
    redirectUri: REDIRECT,
    platform: cli({ directory: folder, openBrowser }),
  })
  expect(await app.login()).toMatchObject({ status: "signed_in" })
  return app.session?.id
}

async function program(ahead = 0) {
  const path = join(import.meta.dirname, "support", "process.ts")
  const child = fork(path, [base, folder, `${ahead}`], { execArgv: ["--import", import.meta.resolve("tsx")] })
  programs.push(child)
  expect((await once(child, "message"))[0]).toBe("ready")
  return {
    /** Asks for a session token at a time that is `ahead`. */
    async token(ahead: number): Promise<Said> {
      const answer = once(child, "message")
      child.send(ahead)
      return (await answer)[0]
    },
    async kill() {
      child.kill("SIGKILL")
      await once(child, "exit")
    },
  }
}

const steps = () =>
  events.flatMap((event) => (event.type === "session.refreshed" && !event.repeat ? [event.generation] : []))
const alarms = () => events.filter(({ type }) => type === "session.reuse_detected")

describe("R5 R6 P8 several processes on one file", { timeout: 60_000 }, () => {
  it("refresh at the same moment, for twelve hours: one step of the line for all of them", async () => {
    const id = await signIn()
    const all = await Promise.all([program(), program(), program()])
    for (let hour = 1; hour <= 12; hour++) {
      const said = await Promise.all(all.map(({ token }) => token(hour * HOUR)))
      expect(new Set(said.map((one) => one.id))).toEqual(new Set([id]))
      // The one token that is in the file.
      expect(new Set(said.map((one) => one.token)).size).toBe(1)
      expect(said[0]?.token).toMatch(/^ey/)
      expect(said.flatMap(({ told }) => told)).not.toContain("signed_out")
      expect(steps()).toHaveLength(hour)
      expect(new Set(asked).size).toBe(hour)
    }
    expect(alarms()).toEqual([])
    expect(await readdir(folder)).toEqual(["session.json"])
  })

  it.each(["before", "after"] as const)(
    "one is killed in the middle of a refresh, %s the backend has carried it out: the other goes on with the same request",
    async (when) => {
      const id = await signIn()
      const [first, second] = await Promise.all([program(), program()])
      meanwhile = { [when]: first.kill }
      void first.token(HOUR).catch(() => {})
      await expect.poll(() => programs[0]?.signalCode, { timeout: 10_000 }).toBe("SIGKILL")

      // Late enough for a step of its own, if it did not know of the one that is under way.
      const said = await second.token(2 * HOUR)
      expect(said).toMatchObject({ id, token: expect.stringMatching(/^ey/) })
      expect(said.told).not.toContain("signed_out")
      expect(asked.length).toBeGreaterThan(1)
      expect(new Set(asked).size).toBe(1)
      expect(steps()).toHaveLength(1)
      expect(alarms()).toEqual([])
      // And a program that is started anew finds the same.
      expect(await (await program(2 * HOUR)).token(2 * HOUR)).toMatchObject({ id, token: said.token })
    },
  )
})
