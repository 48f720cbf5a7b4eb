import { readFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import type { PkceEvent, PkceServer } from "@pkce/server"
import { nodeAuth } from "@pkce/server/node"
import { type FakeProvider, startFakeProvider } from "@pkce/server/testing"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { bundledFlow } from "../packages/client/test/engines/bundle.js"
import { expectFlow } from "../packages/client/test/engines/expected.js"
import { createBackend } from "./backend.js"
import { type Browser, firefox, type Running, type Tab, webkit } from "./browsers.js"
import { createProject, type Project } from "./project.js"

/** However busy the machine is. */
const SOON = { timeout: 20_000 }

let project: Project
let provider: FakeProvider
let auth: PkceServer
let server: Server
let app: string
const events: PkceEvent[] = []

beforeAll(async () => {
  project = createProject()
  provider = await startFakeProvider()
  ;({ auth } = createBackend({ ...provider.options(), onEvent: (event) => void events.push(event) }))
  const routes = nodeAuth(auth)
  const script = readFileSync(await project.bundle("browser", ["browser"]), "utf8")
  server = createServer((request, response) => {
    if (request.url?.startsWith("/auth/")) return void routes(request, response)
    if (request.url === "/page.js") {
      return void response.writeHead(200, { "content-type": "text/javascript" }).end(script)
    }
    const body = '<!doctype html><title>app</title><body><script type="module" src="/page.js"></script>'
    response.writeHead(200, { "content-type": "text/html" }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  app = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  server?.closeAllConnections()
  server?.close()
  await auth?.close()
  await provider?.close()
  project?.remove()
})

const ready = (tab: Tab) =>
  expect.poll(() => tab.run("'auth' in globalThis").catch(() => false), SOON).toBe(true)
const sessionId = (tab: Tab) => tab.run<string | undefined>("globalThis.auth?.session?.id")
const token = (tab: Tab) => tab.run<string | null>("auth.getSessionToken()")
const moves = () => events.filter((event) => event.type === "session.refreshed" && !event.repeat).length

const all = [firefox, webkit]
describe.each(all.map((browser) => [browser.name + browser.notRun, browser] as [string, Browser]))(
  "%s",
  (_, { isThere, start }) => {
    let running: Running

    beforeAll(async () => {
      if (isThere) running = await start()
    })
    afterAll(() => running?.close())
    beforeEach(() => void events.splice(0))

    async function open(settings: Record<string, string> = {}) {
      const tab = await running.tab()
      await tab.goto(`${app}/settings`)
      await tab.run(`(localStorage.clear(), Object.assign(localStorage, ${JSON.stringify(settings)}), 0)`)
      return goTo(tab, "/")
    }
    async function goTo(tab: Tab, path: string) {
      await tab.goto(app + path)
      await ready(tab)
      return tab
    }
    async function signedIn(settings?: Record<string, string>) {
      const tab = await open(settings)
      await tab.run("auth.logout()")
      await tab.run("(told.splice(0), 0)")
      await tab.click("button")
      await expect.poll(() => sessionId(tab).catch(() => ""), SOON).toMatch(/./)
      return tab
    }

    it.skipIf(!isThere)("P19: the flow that every engine runs", async () => {
      const tab = await open()
      const random = "(length) => crypto.getRandomValues(new Uint8Array(length))"
      const told = tab.run<object>(`(async () => {
        ${await bundledFlow()}
        return run({ random: ${random} })
      })()`)
      expectFlow(JSON.stringify(await told), ["our own SHA-256", "WebCrypto"])
    })

    it.skipIf(!isThere)("a login by the full redirect: its session is there after a reload", async () => {
      const tab = await signedIn()
      const id = await sessionId(tab)
      expect(await tab.run("location.href")).toBe(`${app}/callback`)
      await goTo(tab, "/")
      expect(await sessionId(tab)).toBe(id)
      expect(await tab.run("Object.keys(localStorage)")).toEqual([])
    })

    it.skipIf(!isThere)("P22: a login in a window, which opens in the gesture and closes again", async () => {
      const tab = await signedIn({ popup: "yes" })
      expect(await tab.run("location.href")).toBe(`${app}/`)
      expect(await tab.run("told")).toEqual(["signed_in"])
    })

    it.skipIf(!isThere)("P8: two tabs have one new token each time theirs ends", async () => {
      const first = await signedIn()
      const second = await goTo(await running.tab(), "/")
      for (let hour = 1; hour <= 3; hour++) {
        await first.run(`localStorage.setItem("hours", ${hour})`)
        const [one, other] = await Promise.all([token(first), token(second)])
        expect(one).toMatch(/^ey/)
        expect(other).toBe(one)
        expect(moves()).toBe(hour)
      }
    })

    it.skipIf(!isThere)(
      "a page that was left, and comes back, knows of the logout in another tab",
      async () => {
        const left = await signedIn()
        await left.goto(`${app}/elsewhere`)
        const other = await goTo(await running.tab(), "/")
        await other.run("auth.logout()")
        await left.back()
        await ready(left)
        await expect.poll(() => left.run("auth.session"), SOON).toBeNull()
        expect(await token(left)).toBeNull()
      },
    )
  },
)
