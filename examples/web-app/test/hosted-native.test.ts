import { createHash, randomBytes } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createPkceClient } from "@pkce/client"
import { cli } from "@pkce/client/cli"
import { hosted } from "@pkce/client/hosted"
import { fakeDevice } from "@pkce/client/testing"
import { afterEach, beforeEach, expect, it } from "vitest"
import { enterName, expectNoSecretInUrls, SOON, useHostedRoom } from "./support/hosted-room.js"

const room = useHostedRoom()
const REDIRECT = "com.example.app://auth/callback"
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pkce-hosted-"))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** A browser on the machine of a native app. Answers the URLs of other programs that the page has asked the system to open. */
async function systemBrowser() {
  const page = await room.context.newPage()
  const session = await room.context.newCDPSession(page)
  await session.send("Page.enable")
  const requested: string[] = []
  session.on("Page.frameRequestedNavigation", ({ url }) => {
    if (!url.startsWith("http")) requested.push(url)
  })
  return { page, requested }
}

it("P18: a custom scheme: the page jumps to the app, and its button leads there too", async () => {
  const { page, requested } = await systemBrowser()
  const platform = fakeDevice().platform()
  const auth = createPkceClient({
    server: room.site.server,
    redirectUri: REDIRECT,
    flow: hosted(),
    platform: {
      name: "phone",
      crypto: platform.crypto,
      storage: platform.storage,
      http: room.http,
      browser: {
        start: (redirectUri) => ({
          redirectUri,
          async open(url) {
            await page.goto(url)
            await enterName(page, "Ada Lovelace")
            await expect.poll(() => requested, SOON).toHaveLength(1)
            return { type: "callback", url: requested[0] ?? "" }
          },
          close() {},
        }),
      },
    },
  })
  expect(await auth.login()).toMatchObject({
    status: "signed_in",
    session: { user: { name: "Ada Lovelace" } },
  })
  const [callback = ""] = requested
  expect(callback.startsWith(`${REDIRECT}?handoff=`)).toBe(true)
  const button = page.getByRole("link", { name: "Open Example" })
  expect(await button.getAttribute("href")).toBe(callback)
  expect(await auth.getSessionToken()).toMatch(/^ey/)
  expect(await auth.handleRedirect(callback)).toBeNull()
})

it("a loopback listener is sent to at once, and no page of the backend stays", async () => {
  const { page, requested } = await systemBrowser()
  const auth = createPkceClient({
    server: room.site.server,
    redirectUri: "http://127.0.0.1/callback",
    flow: hosted(),
    platform: {
      ...cli({
        directory: folder,
        openBrowser: async (url) => {
          await page.goto(url)
          await enterName(page, "Hedy Lamarr")
        },
      }),
      http: room.http,
    },
  })
  expect(await auth.login()).toMatchObject({
    status: "signed_in",
    session: { user: { name: "Hedy Lamarr" } },
  })
  await page.waitForURL(/^http:\/\/127\.0\.0\.1:\d+\/callback\?handoff=/)
  expect(requested).toEqual([])
})

it("the user says no at the provider: the app is told", async () => {
  const { page } = await systemBrowser()
  const session = await room.context.newCDPSession(page)
  // The provider's answer on its way back, as it is of a user who says no: the state is the provider's to tell.
  await session.send("Fetch.enable", { patterns: [{ urlPattern: "*/auth/callback?code=*" }] })
  session.on("Fetch.requestPaused", ({ requestId, request }) => {
    const url = new URL(request.url)
    url.searchParams.delete("code")
    url.searchParams.set("error", "access_denied")
    const responseHeaders = [{ name: "Location", value: url.href }]
    void session.send("Fetch.fulfillRequest", { requestId, responseCode: 303, responseHeaders })
  })
  const auth = createPkceClient({
    server: room.site.server,
    redirectUri: "http://127.0.0.1/callback",
    flow: hosted(),
    platform: {
      ...cli({
        directory: folder,
        openBrowser: async (url) => {
          await page.goto(url)
          await enterName(page, "Ada Lovelace")
        },
      }),
      http: room.http,
    },
  })
  await expect(auth.login()).rejects.toMatchObject({ code: "access_denied" })
  expect(auth.session).toBeNull()
})

/** A login whose message is for the app's page, and which a stranger knows the address of. */
async function loginForTheApp(): Promise<string> {
  const verifier = randomBytes(32).toString("base64url")
  const response = await fetch(`${room.site.server}/start`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      delivery: "webview",
      redirect_uri: room.site.app.url,
      state: randomBytes(32).toString("base64url"),
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    }),
  })
  const { authorize_url } = await response.json()
  return authorize_url
}

/** The stranger as another site, and as the nearest that there is: the same host, at another port. */
const STRANGERS = ["url", "foreign"] as const

// In a frame of another site the provider misses its own cookies, and nobody logs in at all.
it("J2 J5: a hostile parent frames the login: its page is not shown, and it hears nothing", async () => {
  const page = await room.context.newPage()
  const complaints: string[] = []
  page.on("console", (message) => complaints.push(message.text()))
  await page.goto(room.site.stranger.url)
  await page.evaluate(
    (url) => {
      const frame = document.createElement("iframe")
      frame.src = url
      document.body.append(frame)
    },
    await loginForTheApp(),
  )
  const frame = page.frameLocator("iframe")
  await frame.getByLabel("User name").fill("Ada Lovelace")
  await frame.getByRole("button", { name: "Sign in" }).click()
  await expect.poll(() => complaints.join(), SOON).toContain("frame-ancestors")
  expect(await page.evaluate(() => (globalThis as unknown as { heard: unknown[] }).heard)).toEqual([])
})

it.each(STRANGERS)("J2: a hostile opener (%s) hears nothing of the login that it opened", async (of) => {
  const page = await room.context.newPage()
  await page.goto(room.site.stranger[of])
  const url = await loginForTheApp()
  const [popup] = await Promise.all([
    page.waitForEvent("popup"),
    page.evaluate((to) => void window.open(to), url),
  ])
  await enterName(popup, "Ada Lovelace")
  await popup.waitForURL(/\/auth\/callback/)
  await popup.getByRole("heading").waitFor()
  // What the popup says after that is heard.
  await popup.evaluate(() => window.opener.postMessage("last", "*"))
  const heard = () => page.evaluate(() => (globalThis as unknown as { heard: { data: unknown }[] }).heard)
  await expect.poll(async () => (await heard()).length, SOON).toBeGreaterThan(0)
  expect((await heard()).map(({ data }) => data)).toEqual(["last"])
})

it("J5: the page with the button for a login by poll is shown in nobody's frame", async () => {
  const response = await fetch(`${room.site.server}/start`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ delivery: "poll", state: "s".repeat(43), code_challenge: "c".repeat(43) }),
  })
  const { authorize_url } = await response.json()
  const page = await room.context.newPage()
  const complaints: string[] = []
  page.on("console", (message) => complaints.push(message.text()))
  await page.goto(room.site.stranger.url)
  await page.evaluate((url) => {
    const frame = document.createElement("iframe")
    frame.src = url
    document.body.append(frame)
  }, authorize_url)
  await expect.poll(() => complaints.join(), SOON).toMatch(/frame-ancestors|X-Frame-Options/)
  expect(await page.frameLocator("iframe").getByRole("button").count()).toBe(0)
})

it("nothing of all this stood in a URL, and no page told another where it came from but by its origin", async () => {
  await expectNoSecretInUrls(room)
  const { app, backend, stranger } = room.site
  const referers = [app, backend, stranger].flatMap(({ asked }) => asked.map(({ referer }) => referer ?? ""))
  for (const referer of referers) expect(referer).not.toMatch(/handoff|state=|code=|\/login\//)
})
