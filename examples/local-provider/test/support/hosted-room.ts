import type { Browser, BrowserContext } from "playwright-core"
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest"
import { chooseStrings } from "../../../../packages/server/src/hosted/language.js"
import { type PageOptions, type PageView, renderPage } from "../../../../packages/server/src/hosted/page.js"
import { launchChromium } from "../../src/chromium.js"
import { type Site, startSite, stopSites } from "./sites.js"

export const nonce = "Zx3-_abcdefghijklmnopq"
export const message = {
  type: "pkce",
  handoff: "h4nd0ff",
  state: "st4te",
  iss: "https://api.example.com/auth",
} as const

interface HostedRoom {
  context: BrowserContext
  /** The backend. */
  own: Site
  /** The app's own page. */
  app: Site
  stranger: Site
  /** The provider that the provider sends the user on to. */
  behind: Site
  /** What the pages' consoles say of errors and of their policy. */
  complaints: string[]
  /** Serves the view on a path of the backend; answers its URL. */
  serve(view: PageView, options?: Partial<PageOptions>, path?: string): string
}

/** Chromium with four origins, new for each test of the file. */
export function useHostedRoom(): HostedRoom {
  let browser: Browser
  const room = {
    complaints: [] as string[],
    serve(view: PageView, options: Partial<PageOptions> = {}, path = "/page") {
      const { html, headers } = renderPage(view, {
        name: "Acme",
        color: "#0f766e",
        nonce,
        ...chooseStrings({}, []),
        ...options,
      })
      room.own.at.set(path, () => ({ headers, body: html }))
      return room.own.origin + path
    },
  } as HostedRoom

  beforeAll(async () => {
    browser = await launchChromium()
  })
  afterAll(() => browser?.close())

  beforeEach(async () => {
    const [own, app, stranger, behind] = await Promise.all([
      startSite(),
      startSite(),
      startSite(),
      startSite(),
    ])
    const context = await browser.newContext()
    const complaints: string[] = []
    context.on("console", (one) => one.type() === "error" && complaints.push(one.text()))
    context.on("weberror", (one) => complaints.push(String(one.error())))
    context.on("dialog", (one) => {
      complaints.push(`dialog ${one.message()}`)
      one.dismiss()
    })
    Object.assign(room, { own, app, stranger, behind, context, complaints })
  })
  afterEach(async () => {
    await room.context.close()
    await stopSites()
  })
  return room
}
