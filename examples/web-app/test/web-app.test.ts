import { randomBytes } from "node:crypto"
import { sqliteStore } from "@pkce/server/sqlite"
import type { Step } from "@pkce-examples/flow"
import { type LocalProvider, startLocalProvider } from "@pkce-examples/local-provider"
import { launchChromium } from "@pkce-examples/local-provider/chromium"
import Database from "libsql"
import type { Browser, BrowserContext, Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest"
import { startWebApp } from "../src/app.js"

let browser: Browser
let context: BrowserContext
let provider: LocalProvider
let app: Awaited<ReturnType<typeof startWebApp>>
const told: Step[] = []
/** Every URL that any page of the test asked for, and every complaint of a page. */
const urls: string[] = []
const complaints: string[] = []
/** What no URL and no readable storage may ever hold. */
const secrets = new Set<string>()

beforeAll(async () => {
  browser = await launchChromium()
  provider = await startLocalProvider({ onEvent: (event) => app.onProviderEvent(event) })
  app = await startWebApp({
    ...provider,
    secret: randomBytes(32).toString("base64"),
    store: sqliteStore(new Database(":memory:")),
    onStep: (step) => told.push(step),
    onWarning: () => {},
  })
})
afterAll(async () => {
  await browser?.close()
  await app?.close()
  await provider?.close()
})

beforeEach(async () => {
  told.length = 0
  context = await watched()
})
afterEach(() => context.close())

async function watched() {
  const opened = await browser.newContext()
  opened.on("request", (request) => urls.push(request.url()))
  opened.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text())
  })
  opened.on("weberror", (error) => complaints.push(String(error.error())))
  opened.on("response", async (response) => {
    if (!/\/auth\/(exchange|refresh)$/.test(response.url())) return
    const { session_token, refresh_token } = await response.json().catch(() => ({}))
    for (const secret of [session_token, refresh_token]) if (secret) secrets.add(secret)
  })
  return opened
}

const open = async (from = context) => {
  const page = await from.newPage()
  await page.goto(app.url)
  return page
}
const press = (page: Page, name: string) => page.getByRole("button", { name, exact: true }).click()
const status = (page: Page, text: string) => page.locator("#status", { hasText: text }).waitFor()

async function enterName(page: Page, user: string) {
  await page.getByLabel("User name").fill(user)
  await page.getByRole("button", { name: "Sign in" }).click()
}

async function signedIn(user = "Ada Lovelace", from = context) {
  const page = await open(from)
  await press(page, "Sign in")
  await enterName(page, user)
  await status(page, "signed in")
  return page
}

it("signs in at the provider and comes back, and draws the eight steps with every comparison held", async () => {
  const page = await signedIn()
  expect(await page.locator("#name").textContent()).toBe("Ada Lovelace")
  expect(page.url()).toBe(`${app.url}/callback`)
  await page.locator(".number", { hasText: "8" }).waitFor()
  expect(await page.locator(".number").allTextContents()).toEqual(["1", "2", "3", "4", "5", "6", "7", "8"])
  expect(await page.locator(".checks li[data-ok=true]").count()).toBeGreaterThan(10)
  expect(await page.locator(".checks li[data-ok=false]").allTextContents()).toEqual([])

  await press(page, "Call the API")
  expect(await page.locator("#answer").textContent()).toContain(
    "Hello Ada Lovelace, this is your own backend.",
  )
})

it("B10: after the login no URL, no history entry and no readable storage holds a code or a token", async () => {
  const page = await signedIn()
  const { entries } = await (await context.newCDPSession(page)).send("Page.getNavigationHistory")
  for (const entry of entries) expect(new URL(entry.url).searchParams.get("code")).toBeNull()

  const readable = await page.evaluate(() =>
    JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, document.body.outerHTML]),
  )
  const cookies = await context.cookies(app.url)
  expect(await page.evaluate(() => localStorage.length)).toBe(0)
  expect(secrets.size).toBeGreaterThanOrEqual(2)
  for (const secret of secrets) {
    expect(urls.filter((url) => url.includes(secret))).toEqual([])
    expect(readable.includes(secret)).toBe(false)
    expect(cookies.some(({ value }) => value === secret)).toBe(false)
  }
})

it("a reload keeps the session, and asks for no new one", async () => {
  const page = await signedIn()
  const asked: string[] = []
  page.on("request", (request) => asked.push(new URL(request.url()).pathname))
  await page.reload()
  await status(page, "signed in")
  expect(await page.locator("#name").textContent()).toBe("Ada Lovelace")
  expect(asked).not.toContain("/auth/exchange")
  expect(asked).not.toContain("/auth/refresh")
})

it("R6: two tabs share the session; both refresh at once and the line moves by one step", async () => {
  const first = await signedIn()
  const second = await open()
  await status(second, "signed in")

  await press(first, "Refresh now")
  await first.locator("#note", { hasText: "ten seconds" }).waitFor()

  const moves = () => told.filter((step) => step.title === "One compare-and-swap moves the line").length
  // The client keeps 10 s between two steps; until then a refresh gives the present token.
  await expect
    .poll(
      async () => {
        await Promise.all([press(first, "Refresh now"), press(second, "Refresh now")])
        return moves()
      },
      { timeout: 30_000, interval: 500 },
    )
    .toBe(1)
  for (const page of [first, second]) {
    await press(page, "Call the API")
    await page.locator("#answer").waitFor()
    expect(await page.locator("#name").textContent()).toBe("Ada Lovelace")
  }
  expect(moves()).toBe(1)
  expect(await first.locator("#generation").textContent()).toBe("1")

  await press(first, "Sign out")
  await status(first, "signed out")
  await status(second, "signed out")
  expect(await second.getByRole("button", { name: "Call the API" }).count()).toBe(0)
})

it("signs in by a popup, which closes itself, while the page stays", async () => {
  const page = await open()
  const waiting = page.waitForEvent("popup")
  await press(page, "Sign in with a popup")
  const popup = await waiting
  const closed = popup.waitForEvent("close")
  await enterName(popup, "Grace Hopper")
  await closed
  await status(page, "signed in")
  expect(await page.locator("#name").textContent()).toBe("Grace Hopper")
  expect(page.url()).toBe(`${app.url}/`)
  await page.reload()
  await status(page, "signed in")
})

it("a popup that the provider's opener policy cuts off still signs in, and is no cancelled login", async () => {
  await context.route(`${provider.issuer}/**`, async (route) => {
    const response = await route.fetch({ maxRedirects: 0 })
    const headers = { ...response.headers(), "cross-origin-opener-policy": "same-origin" }
    await route.fulfill({ response, headers })
  })
  const page = await open()
  // The window that opens has the focus. (Under automation every page believes to have it.)
  await page.evaluate(() => {
    const watched = Object.assign(window, { looks: 0, opened: null as Window | null })
    document.hasFocus = () => {
      watched.looks++
      return false
    }
    const { open } = window
    window.open = (...args) => {
      watched.opened = open(...args)
      return watched.opened
    }
  })
  const waiting = page.waitForEvent("popup")
  await press(page, "Sign in with a popup")
  const popup = await waiting
  await popup.getByLabel("User name").waitFor()
  await page.waitForFunction(() => {
    const { looks, opened } = window as unknown as { looks: number; opened: Window }
    return opened.closed && looks > 1
  })
  expect(await page.getByRole("button", { name: "Sign in", exact: true }).isDisabled()).toBe(true)
  await enterName(popup, "Grace Hopper")
  await status(page, "signed in")
  expect(await page.locator("#name").textContent()).toBe("Grace Hopper")
})

it("a popup that the user closes is a cancelled login, and the page goes on", async () => {
  const page = await open()
  const waiting = page.waitForEvent("popup")
  await press(page, "Sign in with a popup")
  const popup = await waiting
  await popup.getByLabel("User name").waitFor()
  await popup.close()
  await page.getByRole("button", { name: "Sign in", exact: true }).and(page.locator(":enabled")).waitFor()
  await status(page, "signed out")
})

it("signs out at the provider too, which asks for a name the next time", async () => {
  const page = await signedIn()
  await press(page, "Sign out at the provider too")
  await page.waitForURL(`${app.url}/`)
  await status(page, "signed out")
  await press(page, "Sign in")
  await page.getByLabel("User name").waitFor()
})

it("without that the provider still knows the user, and the next login needs no name", async () => {
  const page = await signedIn()
  await press(page, "Sign out")
  await status(page, "signed out")
  await press(page, "Sign in")
  await page.waitForURL(/callback/)
  await status(page, "signed in")
  expect(told.filter((step) => step.title === "The provider still knows the user")).toHaveLength(1)
})

it("lists the devices, and ends another one", async () => {
  const mine = await signedIn("Katherine Johnson")
  const elsewhere = await watched()
  const theirs = await signedIn("Katherine Johnson", elsewhere)
  await mine.reload()
  await status(mine, "signed in")
  expect(await mine.locator(".devices li").count()).toBe(2)
  await mine.getByRole("button", { name: /^End the session of/ }).click()
  await expect.poll(() => mine.locator(".devices li").count()).toBe(1)
  // The API refuses at once; the page learns why with its next step of the line, 10 s after the last at the earliest.
  await expect
    .poll(
      async () => {
        const call = theirs.getByRole("button", { name: "Call the API" })
        if (await call.isVisible()) await call.click()
        return theirs.locator("#status").textContent()
      },
      { timeout: 30_000, interval: 500 },
    )
    .toBe("signed out")
  await elsewhere.close()
})

it("asks nobody but itself and the provider, and breaks none of its own rules", () => {
  const origins = new Set(urls.map((url) => new URL(url).origin))
  expect([...origins].sort()).toEqual([app.url, provider.issuer].sort())
  // The browser's own word on answers that are refusals, such as the call of a device that was ended.
  expect(complaints.filter((text) => !/status of 40\d/.test(text))).toEqual([])
})
