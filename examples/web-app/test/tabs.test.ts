import { type LocalProvider, startLocalProvider } from "@pkce-examples/local-provider"
import { launchChromium } from "@pkce-examples/local-provider/chromium"
import type { Browser, BrowserContext, Page, Route } from "playwright-core"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { startBareApp } from "./support/bare-app.js"
import type { Tab } from "./support/tab.js"

/** However busy the machine is. */
const SOON = { timeout: 20_000 }

let browser: Browser
let context: BrowserContext
let provider: LocalProvider
let app: Awaited<ReturnType<typeof startBareApp>>
/** Bodies of the requests that left, by path. */
let asked: { refresh: string[]; exchange: string[] }
/** What happens to the next of these requests instead of going on, once. */
let meanwhile: ((route: Route) => Promise<unknown>) | null = null

beforeAll(async () => {
  browser = await launchChromium()
  provider = await startLocalProvider()
  app = await startBareApp(provider)
})
afterAll(async () => {
  await browser?.close()
  await app?.close()
  await provider?.close()
})

beforeEach(async () => {
  app.events.splice(0)
  asked = { refresh: [], exchange: [] }
  meanwhile = null
  context = await browser.newContext()
  await context.route(`${app.url}/auth/{refresh,exchange}`, async (route) => {
    const request = route.request()
    asked[request.url().endsWith("refresh") ? "refresh" : "exchange"].push(request.postData() ?? "")
    const happens = meanwhile
    meanwhile = null
    await (happens ? happens(route) : route.continue())
  })
})
afterEach(() => context.close())

/** The client of a tab, by its globals. */
const client = <T>(page: Page, work: (tab: Tab) => T | Promise<T>): Promise<T> =>
  page.evaluate(`(${work})(globalThis)`) as Promise<T>
const token = (page: Page) => client(page, ({ auth }) => auth.getSessionToken())
const sessionId = (page: Page) => client(page, ({ auth }) => auth.session?.id)
const sessionsOf = (page: Page) => client(page, async ({ auth }) => (await auth.sessions.list()).length)
const toldTo = (page: Page) => client(page, ({ told }) => told)

async function open(url = app.url) {
  const page = await context.newPage()
  await page.goto(url)
  await client(page, ({ restored }) => restored.then(() => undefined))
  return page
}

/** Presses the button, and is then at the provider. */
async function leave(page: Page): Promise<string> {
  await client(page, ({ auth }) => auth.login().then(() => undefined)).catch(() => {})
  await page.getByLabel("User name").waitFor()
  return page.url()
}

async function enterName(page: Page, user: string) {
  await page.getByLabel("User name").fill(user)
  await page.getByRole("button", { name: "Sign in" }).click()
}

async function signedIn(user: string) {
  const page = await open()
  await leave(page)
  await enterName(page, user)
  await page.waitForURL(`${app.url}/callback`)
  await expect.poll(() => sessionId(page), SOON).toMatch(/./)
  return page
}

/** Everybody's session token ends. */
const passHours = (page: Page, hours: number) =>
  page.evaluate((passed) => localStorage.setItem("hours", `${passed}`), hours)

/** The tab is gone, as its user closes it or as its process dies. */
const ENDS: Record<string, (page: Page) => Promise<unknown>> = {
  closed: (page) => page.close(),
  async crashed(page) {
    const crashed = page.waitForEvent("crash")
    const session = await context.newCDPSession(page)
    void session.send("Page.crash").catch(() => {})
    await crashed
  },
}

const moves = () => app.events.filter((event) => event.type === "session.refreshed" && !event.repeat).length

/** Tabs that wait for their turn. */
const waitingFor = async (page: Page) =>
  page.evaluate(async () => (await navigator.locks.query()).pending?.length ?? 0)

describe("R6 P8 two real tabs", () => {
  it("refresh at the same moment: by Web Locks one of them asks, and the other has its answer", async () => {
    const first = await signedIn("Alan Turing")
    const second = await open()
    await passHours(first, 1)
    asked.refresh.splice(0)
    let go = () => {}
    const held = new Promise<void>((resolve) => {
      meanwhile = async (route) => {
        resolve()
        await new Promise<void>((on) => {
          go = on
        })
        await route.continue()
      }
    })
    const one = token(first)
    await held
    const other = token(second)
    await expect.poll(() => waitingFor(second), SOON).toBe(1)
    go()
    expect(await one).toMatch(/^ey/)
    expect(await other).toBe(await one)
    expect(asked.refresh.length).toBe(1)
    expect(moves()).toBe(1)
  })

  it("one of them is put to sleep in its turn: the other waits a few seconds, and sends the same", async () => {
    const first = await signedIn("Emmy Noether")
    const second = await open()
    await passHours(first, 1)
    asked.refresh.splice(0)
    const sleeping = new Promise<void>((resolve) => {
      meanwhile = async () => resolve()
    })
    void token(first).catch(() => {})
    await sleeping
    expect(await token(second)).toMatch(/^ey/)
    expect(asked.refresh.length).toBe(2)
    expect(new Set(asked.refresh).size).toBe(1)
  })

  it("refresh at the same moment where there are no Web Locks: one step of the line for both", async () => {
    await context.addInitScript("Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })")
    const first = await signedIn("Ada Lovelace")
    const id = await sessionId(first)
    const second = await open()
    for (let hour = 1; hour <= 3; hour++) {
      await passHours(first, hour)
      asked.refresh.splice(0)
      // Both are under way before either has its answer.
      const held: Route[] = []
      const hold = async (route: Route) => void held.push(route)
      meanwhile = async (route) => {
        meanwhile = hold
        await hold(route)
      }
      const both = Promise.all([token(first), token(second)])
      await expect.poll(() => held.length, SOON).toBe(2)
      await Promise.all(held.map((route) => route.continue()))

      const [one, other] = await both
      expect(one).toMatch(/^ey/)
      expect(other).toBe(one)
      expect(new Set(asked.refresh).size).toBe(1)
      expect(moves()).toBe(hour)
    }
    expect([await sessionId(first), await sessionId(second)]).toEqual([id, id])
    for (const page of [first, second]) expect(await toldTo(page)).not.toContain("signed_out")
    expect(await sessionsOf(second)).toBe(1)
  })
})

describe("what has become due meanwhile is renewed, before anybody asks for it", () => {
  const comesBack: Record<string, (page: Page) => Promise<unknown>> = {
    async "the network is back"() {
      await context.setOffline(true)
      await context.setOffline(false)
    },
    // Every page of a headless Chromium is in sight all the time.
    "the page is seen again": (page) =>
      page.evaluate(() => document.dispatchEvent(new Event("visibilitychange", { bubbles: true }))),
  }

  it.each(Object.keys(comesBack))("%s", async (what) => {
    const page = await signedIn(`Mary Jackson, ${what}`)
    await passHours(page, 1)
    expect(asked.refresh.length).toBe(0)
    await comesBack[what]?.(page)
    await expect.poll(() => toldTo(page), SOON).toContain("refreshed")
    expect(moves()).toBe(1)
  })
})

describe("R5 P8 a real tab is killed in the middle of a refresh", () => {
  it.each(
    Object.keys(ENDS).flatMap((how) => [
      [how, "before"],
      [how, "after"],
    ]),
  )(
    "%s, %s the backend has carried it out: the next tab goes on with the identical request",
    async (how, when) => {
      const first = await signedIn(`Grace Hopper ${how} ${when}`)
      const id = await sessionId(first)
      await passHours(first, 1)
      let isDead = false
      meanwhile = async (route) => {
        if (when === "after") expect((await route.fetch()).status()).toBe(200)
        await ENDS[how]?.(first)
        isDead = true
      }
      void token(first).catch(() => {})
      await expect.poll(() => isDead, SOON).toBe(true)

      const next = await open()
      // Late enough for a step of its own, if it did not know of the one that is under way.
      await passHours(next, 2)
      expect(await token(next)).toMatch(/^ey/)
      expect(await sessionId(next)).toBe(id)
      expect(asked.refresh).toHaveLength(2)
      expect(asked.refresh[1]).toBe(asked.refresh[0])
      expect(moves()).toBe(1)
      expect(await toldTo(next)).not.toContain("signed_out")
      expect(await sessionsOf(next)).toBe(1)
    },
  )

  it("crashed at whatever moment, ten times: the session is there, and nobody is logged out", async () => {
    let page = await signedIn("Katherine Johnson")
    const id = await sessionId(page)
    for (let hour = 1; hour <= 10; hour++) {
      await passHours(page, hour)
      void token(page).catch(() => {})
      // Somewhere between the draw and the last write.
      await new Promise((resolve) => setTimeout(resolve, hour * 4))
      await ENDS.crashed?.(page)
      page = await open()
      expect(await token(page)).toMatch(/^ey/)
      expect(await sessionId(page)).toBe(id)
      expect(await toldTo(page)).not.toContain("signed_out")
    }
  })
})

describe("P2 P6 a real tab is killed in the middle of a login", () => {
  it.each(Object.keys(ENDS))(
    "%s at the provider, and opened again there: it ends in one session",
    async (how) => {
      const page = await open()
      const there = await leave(page)
      await ENDS[how]?.(page)
      const again = await context.newPage()
      await again.goto(there)
      await enterName(again, `Hedy Lamarr ${how}`)
      await again.waitForURL(`${app.url}/callback`)
      expect(await client(again, async ({ restored }) => (await restored).login?.status)).toBe("signed_in")
      expect(await sessionsOf(again)).toBe(1)
      expect(asked.exchange).toHaveLength(1)
    },
  )

  it("crashed at the provider, and opened again at the app: nothing is in the way of another login", async () => {
    const page = await open()
    await leave(page)
    await ENDS.crashed?.(page)
    const again = await open()
    expect(await client(again, ({ restored }) => restored)).toEqual({ session: null })
    const next = await signedIn("Mary Jackson")
    expect(await sessionsOf(next)).toBe(1)
    // The other tab has heard of it.
    await expect.poll(() => sessionId(again), SOON).toBe(await sessionId(next))
  })

  it.each(["before", "after"])(
    "crashed on the way back, %s the backend has redeemed the code: any tab finishes it with the same request",
    async (when) => {
      const page = await open()
      await leave(page)
      let isDead = false
      meanwhile = async (route) => {
        if (when === "after") expect((await route.fetch()).status()).toBe(200)
        await ENDS.crashed?.(page)
        isDead = true
      }
      await enterName(page, `Dorothy Vaughan ${when}`)
      await expect.poll(() => isDead, SOON).toBe(true)

      const again = await open()
      expect(await client(again, async ({ restored }) => (await restored).login?.status)).toBe("signed_in")
      expect(await sessionsOf(again)).toBe(1)
      expect(asked.exchange).toHaveLength(2)
      expect(asked.exchange[1]).toBe(asked.exchange[0])
    },
  )
})
