import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { hosted } from "../src/hosted.js"
import { type HostedWorld, startHostedWorld } from "./support/hosted-world.js"
import { HOSTS, hostIn } from "./support/hosts.js"
import type { Moment } from "./support/mortal.js"

type Kind = keyof typeof HOSTS
const KINDS = Object.keys(HOSTS) as Kind[]

let world: HostedWorld
let device: ReturnType<typeof hostIn> | undefined

beforeAll(async () => {
  world = await startHostedWorld()
})
afterAll(() => world.backend.close())
afterEach(() => {
  device?.kill()
  device?.clear()
  device = undefined
  world.fault = null
  world.person = "logs in"
})

function on(kind: Kind) {
  device?.clear()
  world.asked.length = 0
  device = hostIn(world, kind, { flow: hosted() })
  return device
}

const bodies = (route: string) => world.asked.filter((one) => one.route === route).map(({ body }) => body)
const iss = () => world.backend.url

/** The points at which a process dies, and what a new one finds. */
const DEATHS: [string, Moment, (kind: Kind) => "finished" | "again"][] = [
  ["/start sent, its answer lost", { port: "http", route: "POST /start", when: "after" }, () => "again"],
  ["begun, and not written", { port: "storage", nth: 1, when: "before" }, () => "again"],
  ["the browser is open", { port: "browser" }, (kind) => (kind === "cli" ? "again" : "finished")],
  ["the handoff taken, not sent", { port: "storage", nth: 2, when: "after" }, () => "finished"],
  ["/redeem not sent", { port: "http", route: "POST /redeem", when: "before" }, () => "finished"],
  ["/redeem sent, its answer lost", { port: "http", route: "POST /redeem", when: "after" }, () => "finished"],
  ["the session not written", { port: "storage", nth: 3, when: "before" }, () => "finished"],
  ["the session written, not told", { port: "storage", nth: 3, when: "after" }, () => "finished"],
]

describe.each(KINDS)(
  "P18 J4 a hosted login by redirect, on %s, at a real backend and a real provider",
  (kind) => {
    it("comes to a session, which the next start has; the app never spoke to the provider", async () => {
      const { login, start, events } = on(kind)
      const before = await world.sessions()
      const app = await login()
      expect(app.session).toMatchObject({ provider: "default", user: { idp_sub: "ada" } })
      expect((await start().restore()).session?.id).toBe(app.session?.id)
      expect((await world.sessions()).sort()).toEqual([...before, app.session?.id].sort())
      const told = events.map(({ type }) => type)
      // A phone hands the link over at the next start too (P4).
      expect(told.filter((type) => type !== "callback_ignored")).toEqual(["signed_in"])
      // What the app sent to begin with: nothing of it proves anything without the verifier, which came last.
      const [begun = ""] = bodies("POST /start")
      const [redeemed = ""] = bodies("POST /redeem")
      const { code_verifier, login_id, handoff } = JSON.parse(redeemed)
      expect(begun).not.toContain(code_verifier)
      expect([login_id, handoff].every((text) => /^[\w-]{22,}$/.test(text))).toBe(true)
      expect(world.asked.filter(({ route }) => route === "POST /exchange")).toEqual([])
    })

    it.each(DEATHS)("killed when %s: it ends once, or is begun again", async (_, moment, outcome) => {
      const before = (await world.sessions()).length
      const killed = on(kind)
      const deaths = killed.deaths()
      killed.dieAt(moment)
      killed.login().catch(() => {})
      await expect.poll(() => killed.deaths(), { timeout: 10_000, interval: 5 }).toBe(deaths + 1)
      const url = killed.opened.at(-1)
      // A program's listener dies with it, so that the browser finds nobody.
      if (moment.port === "browser" && url && kind !== "cli") killed.comeBack(await world.callbackFor(url))

      const app = killed.start()
      const { session } = await app.restore()
      expect(session ? "finished" : "again").toBe(outcome(kind))
      const current = session ? app : await killed.login()
      expect(await current.getSessionToken()).toMatch(/^ey/)
      // One session, by one request, however often that was sent.
      expect(await world.sessions()).toHaveLength(before + 1)
      expect(new Set(bodies("POST /redeem")).size).toBe(1)

      // P4: the handoff comes once more, now and at the next start.
      const asked = bodies("POST /redeem").length
      const next = killed.start()
      expect((await next.restore()).session?.id).toBe(current.session?.id)
      expect(bodies("POST /redeem")).toHaveLength(asked)
      expect(await world.sessions()).toHaveLength(before + 1)
    })

    it("/start and /redeem each get lost: asked again, and one session comes of it", async () => {
      const before = (await world.sessions()).length
      const { login } = on(kind)
      const lost = new Set<string>()
      world.fault = (route) => {
        if (lost.has(route)) return undefined
        lost.add(route)
        return "lost"
      }
      expect((await login()).session).not.toBeNull()
      expect(bodies("POST /redeem")).toHaveLength(2)
      expect(new Set(bodies("POST /redeem")).size).toBe(1)
      expect(await world.sessions()).toHaveLength(before + 1)
    })

    it("the user says no at the provider: access_denied, and the next login works", async () => {
      const { start, login } = on(kind)
      world.person = "denies"
      const app = start()
      const result = await app.login().catch(({ code }) => code)
      if (result.status === "left") {
        await device?.arrive?.()
        expect((await start().restore()).login).toMatchObject({
          status: "failed",
          error: { code: "access_denied" },
        })
      } else expect(result).toBe("access_denied")
      expect(bodies("POST /redeem")).toEqual([])
      world.person = "logs in"
      expect((await login()).session?.user).toMatchObject({ idp_iss: world.backend.provider.issuer })
      expect(JSON.stringify(device?.events)).not.toContain(iss())
    })
  },
)
