import type { BrowserOutcome, BrowserPort } from "../../../src/platforms/ports.js"
import type { Random } from "../random.js"
import type { Process, VirtualTime } from "./virtual-time.js"

/** A login page that is open, and what can come of it. */
interface Visit {
  random: Random
  answers(outcome: BrowserOutcome): void
  /** A link reaches every tab of the device within so many milliseconds. */
  link(url: string, within: number): void
  /** Where the browser is sent when the user has logged in, or has refused. */
  accept(): Promise<string>
  deny(): Promise<string>
}

/** What people, systems and strangers do with a login page. */
const DEEDS: Record<string, (visit: Visit) => unknown> = {
  async logsIn({ accept, answers }) {
    answers({ type: "callback", url: await accept() })
  },
  cancels: ({ answers }) => answers({ type: "cancelled" }),
  async refuses({ deny, answers }) {
    answers({ type: "callback", url: await deny() })
  },
  /** The system hands the callback to the app as a link, and the browser never tells. */
  async comesByLink({ accept, link }) {
    link(await accept(), 1)
  },
  /** Some systems say "cancelled" first. */
  async comesAfterCancel({ accept, answers, link }) {
    answers({ type: "cancelled" })
    link(await accept(), 30_000)
  },
  /** Of one callback there may be many copies: one login, one session. */
  async comesOften({ accept, answers, link }) {
    const url = await accept()
    for (const within of [500, 500, 60_000]) link(url, within)
    answers({ type: "callback", url })
  },
  /** Anybody can call an app's links: they must not end a login that is under way. */
  async isDisturbed({ accept, answers, link }) {
    const url = await accept()
    link(url.replace(/state=[^&]*/, "state=evil"), 500)
    link(url.replace(/(code|handoff)=[^&]*/, "$1=evil-code"), 500)
    answers({ type: "callback", url })
  },
  /** As on the web: the page is gone, and the login goes on in another. */
  async leaves({ accept, answers, link }) {
    link(await accept(), 100_000)
    answers({ type: "left" })
  },
  neverReturns: ({ answers }) => answers({ type: "left" }),
}

/** Most people just log in. */
const USUAL = Array.from({ length: 5 }, () => "logsIn")

export interface PersonWorld {
  time: VirtualTime
  random: Random
  link(url: string, within: number): void
  /** From the page that the app opens to the callback. */
  browse(url: string, consents: boolean): Promise<string>
  problem(what: string): void
}

export const personAt = (
  tab: Process,
  { time, random, link, browse, problem }: PersonWorld,
): BrowserPort => ({
  start(redirectUri) {
    let close = () => {}
    return {
      redirectUri,
      close: () => close(),
      open: (url, expects) =>
        new Promise((resolve) => {
          close = () => resolve({ type: "cancelled" })
          const deed = random.of([...USUAL, ...Object.keys(DEEDS)])
          const go = async (consents: boolean) => {
            const callback = await time.during(browse(url, consents))
            if (!expects(callback)) problem("a login does not know its own callback")
            return callback
          }
          const visit = { random, link, answers: resolve, accept: () => go(true), deny: () => go(false) }
          time.after(500 + random.below(20_000), () => void DEEDS[deed]?.(visit), tab)
        }),
    }
  },
  visit: () => {},
})
