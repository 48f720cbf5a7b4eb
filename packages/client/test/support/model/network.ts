import type { Random } from "../random.js"
import type { Process, VirtualTime } from "./virtual-time.js"

const gone = () => new TypeError("fetch failed")
const page = (status: number) => new Response("<html>Sign in to the hotel</html>", { status })
const ours = (status: number, error: string) =>
  new Response(`{"error":"${error}","error_id":"0123456789abcdef","retryable":true}`, {
    status,
    headers: { "Pkce-Protocol": "1", "Content-Type": "application/json", "Retry-After": "3" },
  })

/** One request on its way. */
interface Trip {
  random: Random
  /** Passes as long as it takes to the backend, or back; a dead process does not live to see it. */
  leg(): Promise<void>
  /** The backend gets it so many milliseconds later, whatever has become of the sender. */
  arrive(later?: number): Promise<Response>
  /** The same a second time. */
  andBack(later?: number): Promise<Response>
}

/** Milliseconds that a request comes late at most: less than the 32 generations that the backend knows. */
const LATE = 240_000

/** What the network does with a request. */
const FAULTS = {
  /** It never leaves the device. */
  async down({ leg }) {
    await leg()
    throw gone()
  },
  /** The backend has carried it out, and nobody hears of it: the device must find that out by a repeat. */
  async lost({ arrive, leg }) {
    await arrive()
    await leg()
    throw gone()
  },
  /** It seems gone, and arrives minutes later behind newer ones. */
  async late({ arrive, leg, random }) {
    void arrive(random.below(LATE))
    await leg()
    throw gone()
  },
  /** Its answer is there, and a copy of it arrives minutes later. */
  async again({ arrive, andBack, random }) {
    void arrive(random.below(LATE))
    return andBack()
  },
  /** Two copies race, and either answer may be the one that comes. */
  twice: ({ andBack, random }) => Promise.race([andBack(), andBack(random.below(300))]),
  /** The answer never comes, and no failure either: the device gives up by its own clock. */
  async hangs({ arrive }) {
    await arrive()
    return new Promise<never>(() => {})
  },
  /** It takes nearly as long as the device waits, or longer. */
  slow: ({ andBack, random }) => andBack(random.below(18_000)),
  async portal({ leg }) {
    await leg()
    return page(200)
  },
  async proxy({ leg }) {
    await leg()
    return page(502)
  },
  async unavailable({ leg }) {
    await leg()
    return ours(503, "unavailable")
  },
  async limited({ leg }) {
    await leg()
    return ours(429, "rate_limited")
  },
} satisfies Record<string, (trip: Trip) => Promise<Response>>

export type NetworkFault = keyof typeof FAULTS
export const NETWORK_FAULTS = Object.keys(FAULTS) as NetworkFault[]
/** What is left of a network in a tunnel. */
export const NO_NETWORK: NetworkFault[] = ["down", "lost"]

/** Carries one request, with the fault or without. */
export function travel(
  time: VirtualTime,
  random: Random,
  process: Process,
  backend: () => Promise<Response>,
  fault: NetworkFault | undefined,
): Promise<Response> {
  const leg = () => time.wait(5 + random.below(200), process)
  const arrive = async (later = 0) => {
    await time.wait(later + 5 + random.below(200))
    return time.during(backend())
  }
  const andBack = async (later?: number) => {
    const answer = await arrive(later)
    await leg()
    return answer
  }
  return fault ? FAULTS[fault]({ random, leg, arrive, andBack }) : andBack()
}

export type CookieJar = ReturnType<typeof cookieJar>

/** A browser's cookies. */
export function cookieJar() {
  const cookies = new Map<string, string>()
  return {
    header: () => Array.from(cookies, (pair) => pair.join("=")).join("; "),
    take({ headers }: Response) {
      for (const line of headers.getSetCookie()) {
        const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? []
        cookies[/max-age=0/i.test(line) ? "delete" : "set"](name, value)
      }
    },
  }
}
