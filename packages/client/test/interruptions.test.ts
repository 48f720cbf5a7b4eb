import { afterEach, describe, expect, it } from "vitest"
import type { PkceClientOptions } from "../src/client.js"
import { hosted } from "../src/hosted.js"
import { HOSTS, host } from "./support/hosts.js"
import type { Moment, Route } from "./support/mortal.js"

type Host = ReturnType<typeof host>
type Kind = keyof typeof HOSTS

/** What the next start finds: a login that it finishes, or nothing, so that the user begins again. */
type Outcome = "finished" | "again"

/** `the last`: the request that ends the login. */
type LoginMoment = Moment | { port: "http"; route: "the last"; when: "before" | "after" }

interface Interruption {
  name: string
  /** More than one where the process cannot tell them apart. */
  moments: LoginMoment[]
  outcome: (kind: Kind) => Outcome
}

const again = () => "again" as const
const finished = () => "finished" as const
/** A program's listener dies with it, so that the browser finds nobody. */
const unlessListening = (kind: Kind) => (kind === "cli" ? "again" : "finished")
/**
 * Where the system starts the app with the link once more, as Android does. B10: a page takes the code out of its address before anything else, and
 * has no other copy.
 */
const whereTheSystemKeepsTheLink = (kind: Kind) => (/cli|web/.test(kind) ? "again" : "finished")

/** How an app logs in, and the request that ends it. */
const FLOWS: Record<"app" | "hosted", { options: Partial<PkceClientOptions>; route: Route }> = {
  app: { options: {}, route: "POST /exchange" },
  hosted: { options: { flow: hosted() }, route: "POST /redeem" },
}
type Flow = keyof typeof FLOWS

const LOGIN: Interruption[] = [
  {
    name: "1 before the record is written",
    moments: [{ port: "storage", nth: 1, when: "before" }],
    outcome: again,
  },
  {
    name: "2 after the record is written, before the browser opens",
    moments: [{ port: "storage", nth: 1, when: "after" }],
    outcome: again,
  },
  {
    name: "3 in the browser",
    moments: [{ port: "browser" }],
    outcome: unlessListening,
  },
  {
    name: "4 the callback delivered, not taken",
    moments: [{ port: "storage", nth: 2, when: "before" }],
    outcome: whereTheSystemKeepsTheLink,
  },
  {
    name: "5 the callback taken, not sent",
    moments: [
      { port: "storage", nth: 2, when: "after" },
      { port: "http", route: "the last", when: "before" },
    ],
    outcome: finished,
  },
  {
    name: "6 sent, no answer",
    moments: [{ port: "http", route: "the last", when: "after" }],
    outcome: finished,
  },
  {
    name: "7 the answer received, not stored",
    moments: [{ port: "storage", nth: 3, when: "before" }],
    outcome: finished,
  },
  {
    name: "8 the session stored, not told",
    moments: [{ port: "storage", nth: 3, when: "after" }],
    outcome: finished,
  },
]

/** `isCommitted`: the backend has taken the step, so that a repeat after half a minute brings no token any more. */
const REFRESH: { name: string; moments: Moment[]; isCommitted: boolean }[] = [
  {
    name: "9 the step drawn, not stored",
    moments: [{ port: "storage", nth: 1, when: "before" }],
    isCommitted: false,
  },
  {
    name: "10 the step stored, not sent",
    moments: [
      { port: "storage", nth: 1, when: "after" },
      { port: "http", route: "POST /refresh", when: "before" },
    ],
    isCommitted: false,
  },
  {
    name: "11 sent, no answer",
    moments: [{ port: "http", route: "POST /refresh", when: "after" }],
    isCommitted: true,
  },
  {
    name: "12 answered, not stored",
    moments: [{ port: "storage", nth: 2, when: "before" }],
    isCommitted: true,
  },
]

const HOUR = 3_600_000
let device: Host
afterEach(() => {
  device.kill()
  device.clear()
})

const fresh = (kind: Kind, flow: Flow = "app") => {
  device?.clear()
  device = host(kind, FLOWS[flow].options)
}
const momentIn = (flow: Flow, moment: LoginMoment): Moment =>
  "route" in moment && moment.route === "the last"
    ? { ...moment, route: FLOWS[flow].route }
    : (moment as Moment)
const live = () => [...device.backend.rows.values()].filter(({ revoked }) => revoked === undefined)
const bodies = (route: string) => new Set(device.backend.to(route).map(({ body }) => JSON.stringify(body)))
const told = () => device.events.map(({ type }) => type)

/** Works until the process dies of it. */
async function killedIn(work: () => Promise<unknown>, moment: Moment): Promise<void> {
  const before = device.deaths()
  device.dieAt(moment)
  const done = work()
  done.catch(() => {})
  await expect.poll(() => device.deaths(), { interval: 2, timeout: 10_000 }).toBe(before + 1)
}

/** The user, who knows nothing of all this, finishes in the browser if it was open. */
function userGoesOn({ port }: Moment): void {
  const url = device.opened.at(-1)
  if (port === "browser" && url !== undefined) device.comeBack(device.callbackFor(url))
}

const KINDS = Object.keys(HOSTS) as Kind[]
const LOGINS = (Object.keys(FLOWS) as Flow[]).flatMap((flow) => KINDS.map((kind) => [kind, flow] as const))

describe.each(LOGINS)("R5 B3 killed on %s, login of the flow %s", (kind, flow) => {
  const { route } = FLOWS[flow]

  it.each(LOGIN)("$name: it ends once, or is begun again", async ({ moments, outcome }) => {
    for (const one of moments) {
      fresh(kind, flow)
      const moment = momentIn(flow, one)
      await killedIn(device.login, moment)
      userGoesOn(moment)

      const app = device.start()
      const { session } = await app.restore()
      expect(session ? "finished" : "again").toBe(outcome(kind))
      const current = session ? app : await device.login()
      expect(await current.getSessionToken()).toMatch(/^st\./)
      // One session at the backend, by one request, however often that was sent.
      expect(device.backend.rows.size).toBe(1)
      expect(live()).toHaveLength(1)
      expect(bodies(route).size).toBe(1)
      expect(told()).not.toContain("signed_out")

      // P4: whatever still delivers the callback, now or at the next start, ends or begins nothing.
      const id = current.session?.id
      const asked = device.backend.to(route).length
      const next = device.start()
      expect((await next.restore()).session?.id).toBe(id)
      device.clock.advance(HOUR)
      expect(await next.getSessionToken()).toMatch(/^st\./)
      expect(live()).toHaveLength(1)
      expect(device.backend.to(route)).toHaveLength(asked)
    }
  })

  it("in a second login, at each of these points: the user who was signed in stays signed in", async () => {
    for (const { name, moments } of LOGIN)
      for (const one of moments) {
        fresh(kind, flow)
        const moment = momentIn(flow, one)
        await device.login()
        await killedIn(device.login, moment)
        userGoesOn(moment)
        const app = device.start()
        expect((await app.restore()).session, name).not.toBeNull()
        device.clock.advance(HOUR)
        expect(await app.getSessionToken(), name).toMatch(/^st\./)
        expect(told(), name).not.toContain("signed_out")
      }
  })

  if (flow === "hosted") {
    it("R5: at the start, before or after the backend has it: it is begun again, and ends once", async () => {
      for (const when of ["before", "after"] as const) {
        fresh(kind, flow)
        await killedIn(device.login, { port: "http", route: "POST /start", when })
        expect((await device.start().restore()).session).toBeNull()
        const app = await device.login()
        expect(await app.getSessionToken()).toMatch(/^st\./)
        expect(live()).toHaveLength(1)
      }
    })
  }
})

describe.each(KINDS)("R5 B3 killed on %s", (kind) => {
  it.each(REFRESH)(
    "in a refresh: $name: the next start goes on with the same session",
    async ({ moments, isCommitted }) => {
      for (const moment of moments)
        for (const pause of [1_000, HOUR]) {
          fresh(kind)
          const id = (await device.login()).session?.id
          device.clock.advance(HOUR)
          await killedIn(() => device.start().getSessionToken(), moment)
          device.clock.advance(pause)

          const app = device.start()
          expect((await app.restore()).session?.id).toBe(id)
          expect(await app.getSessionToken()).toMatch(/^st\./)
          // The step that was stored is sent again as it was, and another only where that brings no token any more.
          expect(bodies("POST /refresh").size).toBe(isCommitted && pause === HOUR ? 2 : 1)
          expect(live()).toHaveLength(1)
          expect(told()).not.toContain("signed_out")
        }
    },
  )
})

it("names twelve points", () => {
  const numbers = [...LOGIN, ...REFRESH].map(({ name }) => Number.parseInt(name, 10))
  expect(numbers).toEqual(Array.from({ length: 12 }, (_, index) => index + 1))
})
