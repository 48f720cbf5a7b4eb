import { type LocalProvider, startLocalProvider } from "@pkce-examples/local-provider"
import { launchChromium } from "@pkce-examples/local-provider/chromium"
import type { Browser, BrowserContext, Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest"
import { startHostedSite } from "./hosted-site.js"
import type { HostedTab, TabSettings } from "./hosted-tab.js"

/** However busy the machine is. */
export const SOON = { timeout: 20_000 }

export interface HostedRoom {
  browser: Browser
  context: BrowserContext
  provider: LocalProvider
  site: Awaited<ReturnType<typeof startHostedSite>>
  /** For an app outside the browser: a `fetch` that is watched too. */
  http: typeof fetch
  /** A context whose requests are watched. */
  watched(): Promise<BrowserContext>
  /** What no URL, referrer or history entry may hold. */
  secrets: Set<string>
  /** Every URL that was asked for, and every referrer that was sent along. */
  urls: string[]
}

/** The client of a tab, by its globals. */
export const client = <T>(page: Page, work: (tab: HostedTab) => T | Promise<T>): Promise<T> =>
  page.evaluate(`(${work})(globalThis)`) as Promise<T>

/** The members of a request or an answer that prove something. */
const SECRETS = ["session_token", "refresh_token", "code_verifier", "session_verifier"]

/** Chromium, a real provider, and the site. */
export function useHostedRoom(): HostedRoom {
  const room = { secrets: new Set<string>(), urls: [] as string[] } as HostedRoom

  const note = (text: string | null) => {
    const members: { [member: string]: unknown } = text?.startsWith("{") ? JSON.parse(text) : {}
    for (const name of SECRETS) if (typeof members[name] === "string") room.secrets.add(members[name])
  }
  room.http = async (input, init) => {
    note(String(init?.body))
    const response = await fetch(input, init)
    note(await response.clone().text())
    return response
  }
  room.watched = async () => {
    const context = await room.browser.newContext()
    context.on("request", async (request) => {
      room.urls.push(request.url())
      note(request.postData())
      const { referer } = await request.allHeaders().catch(() => ({ referer: undefined }))
      if (referer) room.urls.push(referer)
    })
    context.on("response", async (response) => {
      if (/\/auth\/(exchange|redeem|poll|refresh)$/.test(response.url()))
        note(await response.text().catch(() => null))
    })
    return context
  }

  beforeAll(async () => {
    room.browser = await launchChromium()
    room.provider = await startLocalProvider({
      redirectUris: ["http://127.0.0.1/callback", "http://127.0.0.1/auth/callback"],
    })
    room.site = await startHostedSite(room.provider)
  })
  afterAll(async () => {
    await room.browser?.close()
    await room.site?.close()
    await room.provider?.close()
  })
  beforeEach(async () => {
    room.context = await room.watched()
  })
  afterEach(() => room.context.close())
  return room
}

/** A tab of the app. */
export async function openTab(room: HostedRoom, settings: TabSettings, context = room.context) {
  const { app } = room.site
  const page = await context.newPage()
  // Before any script of the app, and once: a reload and a callback find the same.
  await page.goto(`${app.url}/settings`)
  await page.evaluate((text) => localStorage.setItem("settings", text), JSON.stringify(settings))
  await page.goto(app.url)
  await client(page, ({ restored }) => restored.then(() => undefined))
  return page
}

export async function enterName(page: Page, user: string) {
  await page.getByLabel("User name").fill(user)
  await page.getByRole("button", { name: "Sign in" }).click()
}

export const sessionId = (page: Page) => client(page, ({ auth }) => auth.session?.id)

/** Begins a login that the page does not wait for; what comes of it is `login` of the page. */
export const beginLogin = (page: Page) =>
  client(page, ({ auth }) => {
    const login = auth.login().catch((error) => ({ status: "failed", error }))
    Object.assign(globalThis, { login })
  })

export const loginOf = (page: Page) =>
  page.evaluate(async () => {
    const result = await (
      globalThis as unknown as { login: Promise<{ status: string; error?: { code: string } }> }
    ).login
    return result.error?.code ?? result.status
  })

/** No secret has been in a URL, in a referrer, or is in the page's history. */
export async function expectNoSecretInUrls(room: HostedRoom, ...pages: Page[]) {
  const { app, backend, stranger } = room.site
  const texts = [
    ...room.urls,
    ...[app, backend, stranger].flatMap(({ asked }) =>
      asked.flatMap(({ url, referer }) => [url, referer ?? ""]),
    ),
  ]
  for (const page of pages) {
    const session = await room.context.newCDPSession(page)
    const { entries } = await session.send("Page.getNavigationHistory")
    const own = entries.map(({ url }) => url)
    // Not what is worthless by itself, either.
    for (const url of own.filter((one) => one.startsWith(app.url)))
      expect(url).not.toMatch(/[?&](handoff|state|code)=/)
    for (const url of own) expect(url).not.toMatch(/[?&]code=/)
    texts.push(...own)
  }
  expect(room.secrets.size).toBeGreaterThan(2)
  for (const secret of room.secrets)
    for (const text of texts) expect(text.includes(secret), "a secret in a URL").toBe(false)
}
