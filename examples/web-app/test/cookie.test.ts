import type { BrowserContext, Page } from "playwright-core"
import { beforeEach, describe, expect, it } from "vitest"
import {
  client,
  enterName,
  expectNoSecretInUrls,
  openTab,
  SOON,
  sessionId,
  useHostedRoom,
} from "./support/hosted-room.js"
import type { TabSettings } from "./support/hosted-tab.js"

const room = useHostedRoom()
beforeEach(() => void room.site.events.splice(0))

const token = (page: Page) => client(page, ({ auth }) => auth.getSessionToken())
const toldTo = (page: Page) => client(page, ({ told }) => told)
const moves = () =>
  room.site.events.filter((event) => event.type === "session.refreshed" && !event.repeat).length
const told = (type: string) => room.site.events.filter((event) => event.type === type).length

/** The session's cookies that a browser has. */
const cookies = async (context: BrowserContext) =>
  (await context.cookies()).filter(({ name }) => name.startsWith("pkce-") && !name.startsWith("pkce-login-"))

/** Lets hours pass for the page's tokens. */
const passHours = (page: Page, hours: number) =>
  page.evaluate((passed) => {
    const settings = JSON.parse(localStorage.getItem("settings") ?? "{}")
    localStorage.setItem("settings", JSON.stringify({ ...settings, hours: passed }))
  }, hours)

async function reopened(page: Page) {
  await page.reload()
  await client(page, ({ restored }) => restored.then(() => undefined))
  return page
}

async function anotherTab(context = room.context) {
  const page = await context.newPage()
  await page.goto(room.site.app.url)
  await client(page, ({ restored }) => restored.then(() => undefined))
  return page
}

async function signedIn(settings: TabSettings, user: string) {
  const page = await openTab(room, settings)
  await client(page, ({ auth }) => auth.login().then(() => undefined)).catch(() => {})
  await enterName(page, user)
  await page.waitForURL(`${room.site.app.url}/callback`)
  await expect.poll(() => sessionId(page), SOON).toMatch(/./)
  return page
}

/** All that the app's origin keeps in IndexedDB: what somebody has who copies a profile, or gets a script into the page. */
const KEEP = `(async () => {
  const wait = (request) => new Promise((done, fail) => { request.onsuccess = () => done(request.result); request.onerror = fail })
  const all = []
  for (const { name, version } of await indexedDB.databases()) {
    const db = await wait(indexedDB.open(name))
    for (const store of db.objectStoreNames) {
      const keys = await wait(db.transaction(store).objectStore(store).getAllKeys())
      for (const key of keys) all.push({ name, version, store, key, value: await wait(db.transaction(store).objectStore(store).get(key)) })
    }
    db.close()
  }
  return all
})()`
const put = (kept: string) => `(async () => {
  for (const { name, version, store, key, value } of ${kept}) {
    const open = indexedDB.open(name, version)
    open.onupgradeneeded = () => open.result.createObjectStore(store)
    await new Promise((done) => { open.onsuccess = done })
    const change = open.result.transaction(store, "readwrite")
    change.objectStore(store).put(value, key)
    await new Promise((done) => { change.oncomplete = done })
    open.result.close()
  }
})()`

async function thiefWithTheStorage(page: Page) {
  const kept = JSON.stringify(await page.evaluate(KEEP))
  expect(kept).toContain("refreshToken")
  const settings = await page.evaluate(() => localStorage.getItem("settings") ?? "")
  const context = await room.watched()
  const theirs = await context.newPage()
  await theirs.goto(`${room.site.app.url}/settings`)
  await theirs.evaluate((text) => localStorage.setItem("settings", text), settings)
  await theirs.evaluate(put(kept))
  await theirs.goto(room.site.app.url)
  await client(theirs, ({ restored }) => restored.then(() => undefined))
  return { theirs, context }
}

const WHERE: [string, (flow: TabSettings["flow"]) => TabSettings][] = [
  ["same origin", (flow) => ({ server: "/auth", flow, bind: "cookie" })],
  ["another origin of the site", (flow) => ({ server: room.site.server, flow, bind: "cookie" })],
]

describe.each(WHERE)("bind: cookie, the backend at %s", (_, settings) => {
  it.each(["app", "redirect"] as const)(
    "flow %s: signs in, is there after a reload, refreshes in two tabs, and logout takes the cookie away",
    async (flow) => {
      const page = await signedIn(settings(flow), "Ada Lovelace")
      const id = await sessionId(page)
      const [cookie, ...more] = await cookies(room.context)
      expect(more).toEqual([])
      expect(cookie).toMatchObject({ name: `pkce-${id}`, httpOnly: true, sameSite: "Lax", path: "/" })
      expect(cookie?.value).toMatch(/^[\w-]{43}$/)
      expect(await page.evaluate(() => document.cookie)).toBe("")

      await reopened(page)
      expect(await sessionId(page)).toBe(id)
      await passHours(page, 1)
      expect(await token(page)).toMatch(/^ey/)
      const second = await anotherTab()
      for (let hour = 2; hour <= 3; hour++) {
        await passHours(page, hour)
        const [one, other] = await Promise.all([token(page), token(second)])
        expect([one, one]).toEqual([expect.stringMatching(/^ey/), other])
      }
      expect(moves()).toBe(3)
      // Constant: a cookie and IndexedDB cannot be written at once.
      expect((await cookies(room.context))[0]?.value).toBe(cookie?.value)

      await expectNoSecretInUrls(room, page, second)
      for (const { url } of room.site.app.asked) expect(url).not.toContain(cookie?.value)

      await client(page, ({ auth }) => auth.logout())
      expect(await cookies(room.context)).toEqual([])
      await expect.poll(() => sessionId(second), SOON).toBeUndefined()
      expect(await toldTo(page)).toContain("signed_out")
      expect(told("session.reuse_detected")).toBe(0)
    },
  )

  it("what IndexedDB holds is worth nothing in another browser, and the owner's session goes on", async () => {
    const page = await signedIn(settings("app"), "Grace Hopper")
    const id = await sessionId(page)
    const { theirs, context } = await thiefWithTheStorage(page)
    expect(await sessionId(theirs)).toBe(id)
    await passHours(theirs, 1)
    await client(theirs, ({ auth }) => auth.getSessionToken().catch(() => null))
    await expect.poll(() => sessionId(theirs), SOON).toBeUndefined()
    expect(await toldTo(theirs)).toContain("signed_out")
    expect(moves()).toBe(0)
    expect(told("session.cookie_refused")).toBeGreaterThan(0)
    await context.close()

    await passHours(page, 1)
    expect(await token(page)).toMatch(/^ey/)
    expect(await sessionId(page)).toBe(id)
    expect(moves()).toBe(1)
    expect(told("session.reuse_detected")).toBe(0)
    expect(await toldTo(page)).not.toContain("signed_out")
  })

  it("without the option the copy is worth something: control", async () => {
    const { bind: _bind, ...unbound } = settings("app")
    const page = await signedIn(unbound, "Mary Jackson")
    expect(await cookies(room.context)).toEqual([])
    const { theirs, context } = await thiefWithTheStorage(page)
    await passHours(theirs, 1)
    expect(await token(theirs)).toMatch(/^ey/)
    await context.close()
  })

  it("signs in by a popup too", async () => {
    const page = await openTab(room, { ...settings("app"), popup: true })
    const waiting = page.waitForEvent("popup")
    const login = client(page, async ({ auth }) => (await auth.login()).status)
    const popup = await waiting
    await enterName(popup, "Dorothy Vaughan")
    expect(await login).toBe("signed_in")
    expect(await cookies(room.context)).toHaveLength(1)
    await passHours(page, 1)
    expect(await token(page)).toMatch(/^ey/)
    expect(moves()).toBe(1)
  })

  it("signs in by the window of a hosted login too", async () => {
    const page = await openTab(room, settings("window"))
    const waiting = page.waitForEvent("popup")
    const login = client(page, async ({ auth }) => (await auth.login()).status)
    await enterName(await waiting, "Katherine Johnson")
    expect(await login).toBe("signed_in")
    expect(await cookies(room.context)).toHaveLength(1)
    await passHours(page, 1)
    expect(await token(page)).toMatch(/^ey/)
  })
})
