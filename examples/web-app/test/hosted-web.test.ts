import { expect, it } from "vitest"
import {
  beginLogin,
  client,
  enterName,
  expectNoSecretInUrls,
  loginOf,
  openTab,
  SOON,
  sessionId,
  useHostedRoom,
} from "./support/hosted-room.js"

const room = useHostedRoom()
const server = () => room.site.server

it("redirect: the whole page goes to the backend, to the provider, and comes back to a session", async () => {
  const { app, backend } = room.site
  const page = await openTab(room, { server: server(), flow: "redirect" })
  await beginLogin(page)
  await page.getByLabel("User name").waitFor()
  await enterName(page, "Ada Lovelace")
  await page.waitForURL(`${app.url}/callback`)
  expect(await client(page, async ({ restored }) => (await restored).login?.status)).toBe("signed_in")
  expect(await client(page, ({ auth }) => auth.session?.user?.name)).toBe("Ada Lovelace")
  expect(await client(page, ({ auth }) => auth.getSessionToken())).toMatch(/^ey/)

  // The code of the provider was for the backend's own address alone, and the handoff for the app's.
  expect(app.asked.filter(({ url }) => /[?&]code=/.test(url))).toEqual([])
  expect(backend.asked.filter(({ url }) => /handoff=/.test(url))).toEqual([])
  await expectNoSecretInUrls(room, page)

  const id = await sessionId(page)
  await page.reload()
  await client(page, ({ restored }) => restored.then(() => undefined))
  expect(await sessionId(page)).toBe(id)
})

it("poll: the page shows the app's code, a click leads to the provider, and the app is signed in", async () => {
  const page = await openTab(room, { server: server(), flow: "poll" })
  await beginLogin(page)
  await expect.poll(() => client(page, ({ code }) => code), SOON).toMatch(/./)
  const [code = "", url = ""] = (await client(page, ({ code }) => code)).split(" ")

  const elsewhere = await room.watched()
  const other = await elsewhere.newPage()
  await other.goto(url)
  expect(await other.locator(".code").textContent()).toBe(code)
  expect(await other.locator("body").textContent()).toContain("Ada's browser")
  await other.getByRole("button", { name: "Yes, log in" }).click()
  await enterName(other, "Grace Hopper")
  await other.waitForURL(/\/auth\/callback/)
  expect(await loginOf(page)).toBe("signed_in")
  expect(await client(page, ({ auth }) => auth.session?.user?.name)).toBe("Grace Hopper")
  // Nothing of it is in the other browser.
  expect(await other.evaluate(() => Object.keys(localStorage).length)).toBe(0)
  await elsewhere.close()
  await expectNoSecretInUrls(room, page)
})

it("redirect in a popup: the popup hands its callback to the page, which redeems it", async () => {
  const page = await openTab(room, { server: server(), flow: "redirect", popup: true })
  const waiting = page.waitForEvent("popup")
  await beginLogin(page)
  const popup = await waiting
  const closed = popup.waitForEvent("close")
  await enterName(popup, "Annie Easley")
  await closed
  expect(await loginOf(page)).toBe("signed_in")
  expect(await client(page, ({ auth }) => auth.session?.user?.name)).toBe("Annie Easley")
  await expectNoSecretInUrls(room, page)
})

it("messageWindow: a popup posts to the page that opened it, and closes; the page stays", async () => {
  const page = await openTab(room, { server: server(), flow: "window" })
  const waiting = page.waitForEvent("popup")
  await beginLogin(page)
  const popup = await waiting
  const closed = popup.waitForEvent("close")
  await enterName(popup, "Katherine Johnson")
  await closed
  expect(await loginOf(page)).toBe("signed_in")
  expect(await client(page, ({ auth }) => auth.session?.user?.name)).toBe("Katherine Johnson")
  expect(page.url()).toBe(`${room.site.app.url}/`)
  await expectNoSecretInUrls(room, page)
})

it("messageWindow: a popup that the user closes is a cancelled login", async () => {
  const page = await openTab(room, { server: server(), flow: "window" })
  const waiting = page.waitForEvent("popup")
  await beginLogin(page)
  const popup = await waiting
  await popup.getByLabel("User name").waitFor()
  await popup.close()
  expect(await loginOf(page)).toBe("cancelled")
})

it("messageWindow: a popup is closed where the backend refuses the start", async () => {
  const page = await openTab(room, { server: server(), flow: "window" })
  await room.context.route("**/auth/start", (route) =>
    route.fulfill({
      status: 400,
      headers: {
        "Pkce-Protocol": "1",
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "*",
      },
      contentType: "application/json",
      body: '{"error":"redirect_uri_not_allowed","error_id":"0123456789abcdef","retryable":false}',
    }),
  )
  const waiting = page.waitForEvent("popup")
  await beginLogin(page)
  const popup = await waiting
  expect(await loginOf(page)).toBe("redirect_uri_not_allowed")
  await expect.poll(() => popup.isClosed(), SOON).toBe(true)
})

it("messageWindow: a frame of the page does, too, where the provider lets itself be framed", async () => {
  const page = await openTab(room, { server: server(), flow: "frame" })
  await beginLogin(page)
  const frame = page.frameLocator("iframe")
  await frame.getByLabel("User name").fill("Mary Jackson")
  await frame.getByRole("button", { name: "Sign in" }).click()
  expect(await loginOf(page)).toBe("signed_in")
  expect(await client(page, ({ auth }) => auth.session?.user?.name)).toBe("Mary Jackson")
  await expectNoSecretInUrls(room, page)
})
