import { afterEach, describe, expect, it } from "vitest"
import { HOSTS, host } from "./support/hosts.js"
import type { Moment } from "./support/mortal.js"

type Host = ReturnType<typeof host>
type Kind = keyof typeof HOSTS

/** What the next start finds: a login that it finishes, or nothing, so that the user begins again. */
type Outcome = "finished" | "again"

interface Interruption {
  name: string
  /** More than one where the process cannot tell them apart. */
  moments: Moment[]
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
      { port: "http", route: "POST /exchange", when: "before" },
    ],
    outcome: finished,
  },
  {
    name: "6 sent, no answer",
    moments: [{ port: "http", route: "POST /exchange", when: "after" }],
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
const REFRESH: (Omit<Interruption, "outcome"> & { isCommitted: boolean })[] = [
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

const fresh = (kind: Kind) => {
  device?.clear()
  device = host(kind)
}
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

describe.each(Object.keys(HOSTS) as Kind[])("R5 B3 killed on %s", (kind) => {
  it.each(LOGIN)("in a login: $name: it ends once, or is begun again", async ({ moments, outcome }) => {
    for (const moment of moments) {
      fresh(kind)
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
      expect(bodies("POST /exchange").size).toBe(1)
      expect(told()).not.toContain("signed_out")

      // P4: whatever still delivers the callback, now or at the next start, ends or begins nothing.
      const id = current.session?.id
      const asked = device.backend.to("POST /exchange").length
      const next = device.start()
      expect((await next.restore()).session?.id).toBe(id)
      device.clock.advance(HOUR)
      expect(await next.getSessionToken()).toMatch(/^st\./)
      expect(live()).toHaveLength(1)
      expect(device.backend.to("POST /exchange")).toHaveLength(asked)
    }
  })

  it("in a second login, at each of these points: the user who was signed in stays signed in", async () => {
    for (const { name, moments } of LOGIN)
      for (const moment of moments) {
        fresh(kind)
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
