import type { Platform } from "../../src/platforms/ports.js"

export type Route = `POST /${"exchange" | "refresh" | "start" | "redeem" | "poll"}`

/** A moment of a process: between two things that it does to the world. */
export type Moment =
  /** `nth`: counted from the plan on. Reading is no write. */
  | { port: "storage"; nth: number; when: "before" | "after" }
  /** `after`: the backend has carried it out, and its answer is on the way. */
  | { port: "http"; route: Route; when: "before" | "after" }
  /** The page of the provider is about to show. */
  | { port: "browser" }

const never = new Promise<never>(() => {})

/**
 * Processes that die at a planned moment. One that is dead does nothing to the world any more, and hears nothing of it: its
 * timers, its requests and its writes are gone, as they are after a kill.
 */
export function mortality(onDeath: () => void) {
  let alive = 0
  let plan: Moment | null = null
  let writes = 0
  let died = 0

  function kill(): void {
    alive++
    onDeath()
  }

  /** Whether this is the moment. The process is then dead. */
  function isTheEnd(moment: Moment): boolean {
    const isIt = JSON.stringify(plan) === JSON.stringify(moment)
    if (!isIt) return false
    plan = null
    died++
    kill()
    return true
  }

  /** The platform of a new process. */
  function mortal(platform: Platform): Platform {
    const mine = alive
    const dead = () => mine !== alive
    const { storage, browser, http = fetch } = platform
    const outlived = async <T>(work: Promise<T>): Promise<T> => {
      const [result] = await Promise.allSettled([work])
      if (dead()) return never
      if (result.status === "rejected") throw result.reason
      return result.value
    }

    return {
      ...platform,
      storage: {
        ...storage,
        read: () => (dead() ? never : outlived(storage.read())),
        async update(change) {
          if (dead()) return never
          let isWrite = false
          let nth = 0
          await outlived(
            storage.update((current) => {
              // What died while it waited for its turn leaves everything as it is.
              if (dead()) return undefined
              const next = change(current)
              if (next === undefined) return next
              if (!isWrite) nth = ++writes
              isWrite = true
              return isTheEnd({ port: "storage", nth, when: "before" }) ? undefined : next
            }),
          )
          if (isWrite && isTheEnd({ port: "storage", nth, when: "after" })) return never
        },
      },
      async http(input, init) {
        if (dead()) return never
        const path = new URL(String(input)).pathname.replace("/auth", "")
        const route = `${init?.method} ${path}` as Route
        if (isTheEnd({ port: "http", route, when: "before" })) return never
        const answer = await outlived(http(input, init))
        return isTheEnd({ port: "http", route, when: "after" }) ? never : answer
      },
      browser: {
        ...browser,
        async start(redirectUri, clock) {
          const run = await browser.start(redirectUri, clock)
          return {
            ...run,
            open: (url, expects) => {
              opened.push(url)
              return isTheEnd({ port: "browser" }) ? never : outlived(run.open(url, expects))
            },
            close: () => {
              if (!dead()) run.close()
            },
          }
        },
      },
    }
  }

  const opened: string[] = []
  return {
    mortal,
    kill,
    /** The authorization URLs that were shown, oldest first. */
    opened,
    /** The process that does this next dies of it. */
    dieAt(moment: Moment) {
      plan = moment
      writes = 0
    },
    deaths: () => died,
  }
}
