import { type LocalProvider, startLocalProvider } from "@pkce-examples/local-provider"
import { launchChromium } from "@pkce-examples/local-provider/chromium"
import type { Browser, BrowserContext, Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest"
import { serveExport } from "./support/serve.js"

let browser: Browser
let context: BrowserContext
let provider: LocalProvider
let app: Awaited<ReturnType<typeof serveExport>>
const complaints: string[] = []
const urls: string[] = []

beforeAll(async () => {
  browser = await launchChromium()
  provider = await startLocalProvider()
  app = await serveExport(provider)
})
afterAll(async () => {
  await browser?.close()
  await app?.close()
  await provider?.close()
})
beforeEach(async () => {
  context = await watched()
})
afterEach(() => context.close())

async function watched() {
  const opened = await browser.newContext()
  opened.on("request", (request) => urls.push(request.url()))
  opened.on("weberror", (error) => complaints.push(String(error.error())))
  opened.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text())
  })
  return opened
}

const press = (page: Page, name: string) => page.getByRole("button", { name, exact: true }).click()
const says = (page: Page, label: string, text: string) =>
  page.getByTestId(label).filter({ hasText: text }).first().waitFor()

async function signedIn(user: string, from = context) {
  const page = await from.newPage()
  await page.goto(app.url)
  await says(page, "status", "signed out")
  await press(page, "Sign in")
  await page.getByLabel("User name").fill(user)
  await page.getByRole("button", { name: "Sign in" }).click()
  await says(page, "status", "signed in")
  return page
}

it("signs in at the provider, calls the API, refreshes, and signs out", async () => {
  const page = await signedIn("Ada Lovelace")
  await page.getByRole("heading", { name: "Ada Lovelace" }).waitFor()
  // B10: the code does not stay in the address bar.
  expect(page.url()).toBe(`${app.url}/callback`)

  await press(page, "Call the API")
  await says(page, "answer", "the API knows you as Ada Lovelace")
  // The line takes one step in ten seconds, and the login was the last one.
  await press(page, "Refresh")
  await says(page, "answer", "fresh enough")
  const told = () => page.getByTestId("answer").textContent()
  await expect
    .poll(
      async () => {
        await press(page, "Refresh")
        return told()
      },
      { timeout: 30_000, interval: 500 },
    )
    .toBe("refreshed")

  await press(page, "Sign out")
  await says(page, "status", "signed out")
  await page.reload()
  await says(page, "status", "signed out")
})

it("a reload keeps the session, which is in IndexedDB and nowhere that is easier to read", async () => {
  const page = await signedIn("Grace Hopper")
  await page.reload()
  await says(page, "status", "signed in")
  const kept = await page.evaluate(async () => ({
    easy: [localStorage.length, sessionStorage.length, document.cookie.length],
    databases: (await indexedDB.databases()).map(({ name }) => name),
  }))
  expect(kept).toEqual({ easy: [0, 0, 0], databases: ["pkce"] })
})

it("lists the devices, and ends another one", async () => {
  const mine = await signedIn("Katherine Johnson")
  const elsewhere = await watched()
  const theirs = await signedIn("Katherine Johnson", elsewhere)
  await mine.reload()
  const devices = mine.getByTestId("device")
  await expect.poll(() => devices.allTextContents()).toHaveLength(2)
  expect((await devices.allTextContents()).filter((text) => text.includes("this one"))).toHaveLength(1)
  await press(mine, "End")
  await expect.poll(() => devices.allTextContents()).toEqual(["Browser (this one)"])
  // The API refuses at once; the page learns why with its next step of the line, 10 s after the last at the earliest.
  const status = theirs.getByTestId("status")
  await expect
    .poll(
      async () => {
        const call = theirs.getByRole("button", { name: "Call the API", exact: true })
        if (await call.isVisible()) await call.click()
        return status.textContent()
      },
      { timeout: 30_000, interval: 500 },
    )
    .toBe("signed out")
  await elsewhere.close()
})

it("shows a login that the provider refused by its stable code", async () => {
  const page = await context.newPage()
  await page.goto(app.url)
  await press(page, "Sign in")
  await page.getByLabel("User name").waitFor()
  const asked = urls.filter((url) => url.startsWith(`${provider.issuer}/auth?`)).at(-1) ?? ""
  const { searchParams } = new URL(asked)
  const answer = new URLSearchParams({
    error: "access_denied",
    state: searchParams.get("state") ?? "",
    iss: provider.issuer,
  })
  await page.goto(`${app.url}/callback?${answer}`)
  await says(page, "status", "access_denied")
})

it("asks nobody but its own origin and the provider, and no page complains", () => {
  const origins = new Set(urls.map((url) => new URL(url).origin))
  expect([...origins].sort()).toEqual([app.url, provider.issuer].sort())
  // The browser's own word on answers that are refusals, such as the call of a device that was ended.
  expect(complaints.filter((text) => !/status of 40\d/.test(text))).toEqual([])
})
