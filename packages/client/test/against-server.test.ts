import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { PkceEvent } from "../../server/src/events.js"
import { nodeAuth } from "../../server/src/mounts/node.js"
import { createPkceServer } from "../../server/src/server.js"
import { startFakeProvider } from "../../server/src/testing/provider.js"
import type { FakeProvider } from "../../server/src/testing/provider-types.js"
import { createPkceClient, type PkceClient } from "../src/client.js"
import { diagnose } from "../src/diagnose.js"
import { webCrypto } from "../src/pkce/crypto.js"
import type { ClockPort, Platform } from "../src/platforms/ports.js"
import type { PkceClientEvent } from "../src/session/events.js"
import { type FakeStorage, fakeStorage } from "../src/testing/storage.js"
import { type Random, seeded } from "./support/random.js"

const MINUTE = 60_000

const realNow = Date.now.bind(Date)
/** How far the world's time, the backend's and the devices', has been moved on. */
let moved = 0

/** Waits pass a hundred times as fast, and everybody's clock moves on by what was waited. */
const clock: ClockPort = {
  wall: () => Date.now(),
  monotonic: () => Date.now(),
  after(milliseconds, run) {
    const due = Date.now() + milliseconds
    const timer = setTimeout(() => {
      moved += Math.max(0, due - Date.now())
      run()
    }, milliseconds / 100)
    return () => clearTimeout(timer)
  },
}

let idp: FakeProvider
let close: () => Promise<void>
let base: string
const events: PkceEvent[] = []
const alarms = () => events.filter(({ type }) => type === "session.reuse_detected")

beforeEach(async () => {
  moved = 0
  events.splice(0)
  vi.spyOn(Date, "now").mockImplementation(() => realNow() + moved)
  idp = await startFakeProvider()
  const auth = createPkceServer({
    ...idp.options(),
    secrets: ["against-server-test-secret-0123456789abcdef"],
    rateLimit: false,
    onEvent: (event) => void events.push(event),
    onWarning: () => {},
  })
  const routes = nodeAuth(auth)
  const server = createServer(async (request, response) => {
    if (request.url !== "/me") return routes(request, response)
    const session = await auth.authenticate(request.headers.authorization?.replace("Bearer ", "") ?? "")
    response.writeHead(session ? 200 : 401).end()
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  close = async () => {
    server.closeAllConnections()
    server.close()
    await auth.close()
    await idp.close()
  }
})
afterEach(async () => {
  await close()
  vi.restoreAllMocks()
})

/** What the network does with one request. */
const FAULTS = ["none", "none", "lost", "down", "twice", "hangs", "portal", "429", "502"] as const
type Fault = (typeof FAULTS)[number]
const page = (status: number) => new Response("<html>Sign in to the hotel</html>", { status })
const limited = () =>
  new Response('{"error":"rate_limited","error_id":"0123456789abcdef","retryable":true}', {
    status: 429,
    headers: { "Pkce-Protocol": "1", "Content-Type": "application/json", "Retry-After": "5" },
  })
const gone = () => new TypeError("fetch failed")

interface Way {
  calm: boolean
  http: typeof fetch
}

/** The way between a device and the backend. */
function network(random: Random) {
  const way: Way = {
    calm: true,
    async http(input, init) {
      // The API's own answers are the app's business.
      const isWire = String(input).startsWith(`${base}/auth/`)
      const fault: Fault = way.calm || !isWire ? "none" : random.of(FAULTS)
      // Without the signal: who gives up waiting does not take back what is on its way.
      const send = () => fetch(input, { ...init, signal: null })
      if (fault === "down") throw gone()
      if (fault === "portal") return page(200)
      if (fault === "502") return page(502)
      if (fault === "429") return limited()
      if (fault === "twice") return (await Promise.all([send(), send()]))[random.below(2)] ?? send()
      const answer = await send()
      if (fault === "lost") throw gone()
      return fault === "hangs" ? new Promise<never>(() => {}) : answer
    },
  }
  return way
}

/** Every app that is started on one storage, as tabs or one after the other. */
function device(http: typeof fetch, storage: FakeStorage) {
  const listeners = new Set<() => void>()
  const told: PkceClientEvent[] = []
  const platform: Platform = {
    name: "test",
    clock,
    crypto: webCrypto,
    http,
    storage,
    browser: {
      start: (redirectUri) => ({
        redirectUri,
        async open(url) {
          const { headers } = await fetch(url, { redirect: "manual" })
          return { type: "callback", url: headers.get("location") ?? "" }
        },
        close() {},
      }),
    },
    changes: {
      post: () => queueMicrotask(() => listeners.forEach((tell) => void tell())),
      subscribe: (listener) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
  }
  return {
    told,
    ended: () => told.filter(({ type }) => type === "signed_out"),
    start() {
      const app = createPkceClient({
        server: `${base}/auth`,
        redirectUri: "com.example.app://callback",
        platform,
      })
      app.subscribe((event) => told.push(event))
      return app
    },
  }
}

const quietly = (work: Promise<unknown>) => work.catch((error) => expect(error).toHaveProperty("phase"))

/** Until a login has come through the faults: an honest repeat always may. */
async function signIn(app: PkceClient) {
  for (let attempt = 0; attempt < 20 && !app.session; attempt++) {
    await quietly(app.login())
    if (!app.session) await quietly(app.restore())
  }
  return app
}

// That nobody else is ever taken for a thief is what model.test.ts shows.
describe("R2 R4 R5 R6 R18 the real client at the real backend, over HTTP", () => {
  it.each([1, 2, 3, 4, 5, 6])(
    "seed %i: control: a thief with a copy of the storage is always found",
    async (seed) => {
      const random = seeded(seed)
      const way = network(random)
      const storage = fakeStorage()
      const owner = device(way.http, storage)
      const app = await signIn(owner.start())
      const stolen = fakeStorage()
      const thief = device(way.http, stolen)
      const robAfter = random.below(4)
      for (let step = 0; step < robAfter; step++) {
        moved += 6 * MINUTE
        await app.getSessionToken()
      }
      await stolen.update(() => storage.text())
      const other = thief.start()
      await other.restore()

      // Every other time nothing goes wrong, so that the alarm's own answer arrives.
      way.calm = seed % 2 === 0
      for (let step = 0; step < 12; step++) {
        moved += random.of([11_000, 6 * MINUTE])
        await quietly(random.of([app, other]).refresh())
      }
      way.calm = true
      for (const party of [app, other, app, other]) {
        moved += 6 * MINUTE
        await quietly(party.refresh())
      }
      expect(alarms()).toHaveLength(1)
      expect([app.session, other.session]).toEqual([null, null])
      const reasons = [...owner.ended(), ...thief.ended()].map((event) => "reason" in event && event.reason)
      if (seed % 2 === 0) expect(reasons).toContain("session_reuse_detected")
      expect(reasons.every((reason) => /^session_(reuse_detected|revoked)$/.test(String(reason)))).toBe(true)
      expect((await app.fetch("/me")).status).toBe(401)
    },
  )
})

it("diagnose asks a real backend about the redirect URI, and the provider hears nothing of it", async () => {
  const { redirectUris } = idp.options()
  const [registered = ""] = redirectUris
  const diagnosed = (redirectUri: string) =>
    diagnose({
      server: `${base}/auth`,
      redirectUri,
      platform: {
        name: "test",
        clock,
        crypto: webCrypto,
        storage: fakeStorage(),
        browser: { start: () => Promise.reject() },
      },
    })
  expect((await diagnosed(registered)).text).toContain(`ok   redirect: ${registered} is registered`)
  const { checks } = await diagnosed(`${registered}/other`)
  expect(checks.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual(["redirect"])
  expect(idp.calls.token).toBe(0)
})
