import type { Page } from "playwright-core"
import { expect, it } from "vitest"
import { message, useHostedRoom } from "./support/hosted-room.js"
import type { Site } from "./support/sites.js"

const room = useHostedRoom()
const { serve } = room

const LISTENER = `<script>heard = []; onmessage = (event) => heard.push([event.origin, event.data])</script>`
const heardBy = (page: Page) => page.evaluate(() => (window as unknown as { heard: unknown[] }).heard)

/** Opens the page from a window of this site; answers what that window heard before the last word of the popup. */
async function heardByOpener(site: Site, url: string) {
  site.at.set("/opener", () => ({ body: LISTENER }))
  const page = await room.context.newPage()
  await page.goto(`${site.origin}/opener`)
  const [popup] = await Promise.all([
    page.waitForEvent("popup"),
    page.evaluate((to) => void window.open(to), url),
  ])
  await popup.waitForURL(url)
  await popup.evaluate(() => window.opener.postMessage("last", "*"))
  await expect.poll(() => heardBy(page)).toContainEqual([room.own.origin, "last"])
  return (await heardBy(page)).slice(0, -1)
}

/** Puts bridges into every page and frame to come, each of which notes what it is told. */
const bridges = (...names: string[]) =>
  room.context.addInitScript((names) => {
    const told: unknown[] = []
    const receiver = { postMessage: (one: unknown) => told.push(one) }
    for (const name of names)
      Object.assign(window, {
        [name]: name === "webkit" ? { messageHandlers: { pkce: receiver } } : receiver,
      })
    Object.assign(window, { told })
  }, names)
const toldIn = (page: Page, frame = 0) =>
  page.frames()[frame]?.evaluate(() => (window as unknown as { told: unknown[] }).told)

it("J2: the message reaches the page of the origin that the login named, once", async () => {
  const url = serve({ view: "message", message, origin: room.app.origin, failed: false })
  expect(await heardByOpener(room.app, url)).toEqual([[room.own.origin, message]])
  expect(room.complaints).toEqual([])
})

it("J2: an opener of another origin hears nothing", async () => {
  const url = serve({ view: "message", message, origin: room.app.origin, failed: false })
  expect(await heardByOpener(room.stranger, url)).toEqual([])
})

it("J2: where the login named no origin the bridge hears, and no window", async () => {
  await bridges("pkce")
  const url = serve({ view: "message", message, origin: null, failed: false })
  expect(await heardByOpener(room.app, url)).toEqual([])
  const popup = room.context.pages().find((page) => page.url() === url)
  expect(popup && (await toldIn(popup))).toEqual([JSON.stringify(message)])
  expect(room.complaints).toEqual([])
})

it("J2, J5: the page of the named origin may frame it, and no other", async () => {
  const url = serve({ view: "message", message, origin: room.app.origin, failed: false })
  const page = await room.context.newPage()
  for (const site of [room.app, room.stranger])
    site.at.set("/parent", () => ({ body: `${LISTENER}<iframe src="${url}"></iframe>` }))
  await page.goto(`${room.app.origin}/parent`)
  await expect.poll(() => heardBy(page)).toEqual([[room.own.origin, message]])
  expect(room.complaints).toEqual([])

  await page.goto(`${room.stranger.origin}/parent`)
  await expect.poll(() => room.complaints.join()).toContain("frame-ancestors")
  expect(await heardBy(page)).toEqual([])
  expect(await page.frames()[1]?.locator("h1").count()).toBe(0)
})

it.each([
  ["React Native", "ReactNativeWebView", JSON.stringify(message)],
  ["WebKit", "webkit", message],
  ["an Android message listener", "pkce", JSON.stringify(message)],
])("J3: the bridge of %s gets the message once, in its own form", async (_, bridge, form) => {
  await bridges(bridge)
  const page = await room.context.newPage()
  await page.goto(serve({ view: "message", message, origin: null, failed: false }))
  expect(await toldIn(page)).toEqual([form])
  expect(room.complaints).toEqual([])
})

it("J3: of several that could listen only one hears: the named page, or else one bridge", async () => {
  await bridges("ReactNativeWebView", "webkit", "pkce")
  const page = await room.context.newPage()
  const url = serve({ view: "message", message, origin: room.app.origin, failed: false })
  room.app.at.set("/parent", () => ({ body: `${LISTENER}<iframe src="${url}"></iframe>` }))
  await page.goto(`${room.app.origin}/parent`)
  await expect.poll(() => heardBy(page)).toEqual([[room.own.origin, message]])
  expect(await toldIn(page, 1)).toEqual([])

  await page.goto(url)
  expect(await toldIn(page)).toEqual([JSON.stringify(message)])
  expect(room.complaints).toEqual([])
})
