import type { Page } from "playwright-core"
import { expect, it } from "vitest"
import { chooseStrings } from "../../../packages/server/src/hosted/language.js"
import { type PageView, renderPage } from "../../../packages/server/src/hosted/page.js"
import { message, nonce, useHostedRoom } from "./support/hosted-room.js"

const room = useHostedRoom()
const { serve } = room

const confirm = (device: string): PageView => ({
  view: "confirm",
  device,
  provider: "main",
  code: "7KQ2-M9XD",
  action: "/confirmed",
  token: "t0ken",
})

const STILL: [string, PageView][] = [
  ["confirm", confirm("Television")],
  ["message", { view: "message", message, origin: null, failed: false }],
  ["message of a failure", { view: "message", message, origin: "https://app.example.com", failed: true }],
  ["done", { view: "done" }],
  ["failed", { view: "failed", text: "unavailableText", errorId: "0123456789abcdef" }],
]

it.each(STILL)("%s: keeps its own policy, has its style, and asks nobody for anything", async (_, view) => {
  const page = await room.context.newPage()
  await page.goto(serve(view))
  const { background } = await page.evaluate(() => ({
    background: getComputedStyle(document.body).backgroundColor,
  }))
  expect(background).toBe("rgb(243, 244, 246)")
  expect(room.own.asked.filter((one) => one !== "GET /favicon.ico")).toEqual(["GET /page"])
  expect(room.complaints).toEqual([])
})

it("the complaints are heard: a script without the nonce is one", async () => {
  const page = await room.context.newPage()
  const url = serve({ view: "done" })
  const { headers, body } = room.own.at.get("/page")?.(undefined as never, "") ?? {}
  room.own.at.set("/page", () => ({
    ...(headers ? { headers } : {}),
    body: `${body}<script>alert(1)</script>`,
  }))
  await page.goto(url)
  expect(room.complaints.join()).toContain("Content Security Policy")
})

it.each([320, 390, 640, 1280])("at %d px nothing is cut off, also with long names", async (width) => {
  const long = { name: "W".repeat(80) }
  const page = await room.context.newPage()
  await page.setViewportSize({ width, height: 600 })
  for (const view of [...STILL.map(([, view]) => view), confirm("W".repeat(300))]) {
    await page.goto(serve(view, long))
    const widest = await page.evaluate(() =>
      Math.max(...[...document.querySelectorAll("body *")].map((one) => one.getBoundingClientRect().right)),
    )
    expect(widest).toBeLessThanOrEqual(width)
  }
})

it("is dark where the user wants it, and the words run from right to left where the language does", async () => {
  const page = await room.context.newPage()
  await page.emulateMedia({ colorScheme: "dark" })
  await page.goto(serve({ view: "done" }, { lang: "ar" }))
  const { ground, direction } = await page.evaluate(() => ({
    ground: getComputedStyle(document.body).backgroundColor,
    direction: getComputedStyle(document.body).direction,
  }))
  expect(ground).toBe("rgb(15, 16, 19)")
  expect(direction).toBe("rtl")
})

it("J5: names full of markup are text to a real parser", async () => {
  const markup = `</title></style></script><img src=x onerror=alert(1)>"'><svg onload=alert(2)>`
  const shape = (page: Page) =>
    page.evaluate(() =>
      [...document.querySelectorAll("*")].map((one) => `${one.tagName} ${one.getAttributeNames()}`),
    )
  const page = await room.context.newPage()
  await page.goto(serve(confirm("Television")))
  const harmless = await shape(page)
  await page.goto(serve({ ...confirm(markup), token: markup } as PageView, { name: markup }))
  expect(await shape(page)).toEqual(harmless)
  expect(await page.locator("h1 bdi").textContent()).toBe(`${markup.slice(0, 63)}…`)
  expect(await page.locator("input").getAttribute("value")).toBe(markup)
  expect(room.complaints).toEqual([])
})

it.each(["return", "failed"] as const)(
  "%s jumps to the app, and going back does not jump again",
  async (name) => {
    room.app.at.set("/start", () => ({ body: "start" }))
    room.app.at.set("/callback", () => ({ body: "arrived" }))
    const target = `${room.app.origin}/callback?handoff=a%26b&state=s`
    const page = await room.context.newPage()
    await page.goto(`${room.app.origin}/start`)
    const url = serve(
      name === "return" ? { view: name, target } : { view: name, text: "deniedText", errorId: null, target },
    )
    await page.goto(url)
    await page.waitForURL(target)
    expect(room.app.asked).toContain("GET /callback?handoff=a%26b&state=s")
    await page.goBack()
    expect(page.url()).toBe(`${room.app.origin}/start`)
    expect(room.complaints).toEqual([])
  },
)

it("return asks for the app's own scheme as it was registered, and its button does too", async () => {
  const target = "com.example.app://auth/callback?handoff=h&state=s"
  const page = await room.context.newPage()
  const session = await room.context.newCDPSession(page)
  await session.send("Page.enable")
  const requested: string[] = []
  session.on("Page.frameRequestedNavigation", ({ url }) => requested.push(url))
  // A scheme that no program here owns: the page stays, and its loading never ends.
  await page.goto(serve({ view: "return", target }), { waitUntil: "commit" })
  await expect.poll(() => requested).toContain(target)
  const button = page.getByRole("link", { name: "Open Acme" })
  expect(await button.getAttribute("href")).toBe(target)
})

it("leaving goes to the provider without a script", async () => {
  room.app.at.set("/authorize", () => ({ body: "provider" }))
  const page = await room.context.newPage()
  await page.goto(
    serve({ view: "leaving", provider: "main", target: `${room.app.origin}/authorize?a=1&b=2` }),
  )
  await page.waitForURL(`${room.app.origin}/authorize?a=1&b=2`)
  expect(room.complaints).toEqual([])
})

it("confirm posts its token with its origin, and a provider may send the user on to another", async () => {
  const posted: unknown[] = []
  const leaving = renderPage(
    { view: "leaving", provider: "main", target: `${room.app.origin}/authorize` },
    { name: "Acme", color: null, nonce, ...chooseStrings({}, []) },
  )
  room.own.at.set("/confirmed", ({ method, headers }, body) => {
    posted.push([method, headers.origin, headers["sec-fetch-site"], body])
    return { headers: leaving.headers, body: leaving.html }
  })
  room.app.at.set("/authorize", ({ headers }) => {
    posted.push(headers.referer)
    return { status: 302, headers: { Location: `${room.behind.origin}/login` } }
  })
  room.behind.at.set("/login", () => ({ body: "user name?" }))
  const page = await room.context.newPage()
  await page.goto(serve(confirm("Television")))
  expect(await page.getByRole("img").getAttribute("aria-label")).toBe("7, K, Q, 2, M, 9, X, D")
  await page.getByRole("button", { name: "Yes, log in" }).click()
  await page.waitForURL(`${room.behind.origin}/login`)
  expect(posted).toEqual([["POST", room.own.origin, "same-origin", "confirm=t0ken"], undefined])
  expect(room.complaints).toEqual([])
})
