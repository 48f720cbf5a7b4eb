import { afterEach, beforeEach, describe, expect, it } from "vitest"
import {
  atProvider,
  backOf,
  type HostedRoom,
  handoffOf,
  type Login,
  openHosted,
  polling,
  redemption,
  targetOf,
  tokenOf,
  withParameter,
} from "../support/hosted-room.js"
import { random } from "../support/server.js"

let room: HostedRoom
beforeEach(async () => {
  room = await openHosted({}, { metadata: { backchannel_logout_supported: true } })
})
afterEach(() => room.close())

const reasons = () => room.events.flatMap((event) => ("reason" in event ? [event.reason] : []))
const poll = (login: Login) => room.post("/poll", polling(login, random()))

/** Nothing was spent, and the browser that was sent to the provider can still finish. */
async function expectUntouched(finish: () => Promise<{ status: number; body: string }>) {
  expect(room.idp.calls.token).toBe(0)
  expect(handoffOf((await finish()) as never)).toHaveLength(43)
}

describe("B11: the browser that finishes is the one that began", () => {
  it("B11: a callback without the flow cookie is refused, and the browser that has it goes on", async () => {
    const [own, stranger] = [room.browser(), room.browser()]
    const callback = await own.logIn(await room.start())
    const refused = await stranger.visit(callback)
    expect([refused.status, targetOf(refused)]).toEqual([400, null])
    expect(reasons()).toContain("browser_mismatch")
    await expectUntouched(() => own.visit(callback))
  })

  it("B11: a browser that has opened the same login has another cookie, and cannot end what the first began", async () => {
    const login = await room.start()
    const [own, stranger] = [room.browser(), room.browser()]
    const callback = await own.logIn(login)
    await stranger.visit(login.authorize_url)
    expect((await stranger.visit(callback)).status).toBe(400)
    await expectUntouched(() => own.visit(callback))
  })

  it("B11: a state of another login is refused, also in the browser that has both", async () => {
    const browser = room.browser()
    const [one, other] = [await browser.logIn(await room.start()), await browser.logIn(await room.start())]
    const [id, mac] = (new URL(one).searchParams.get("state") ?? "").split(".")
    const [otherId, otherMac] = (new URL(other).searchParams.get("state") ?? "").split(".")
    for (const state of [
      `${id}.${otherMac}`,
      `${otherId}.${mac}`,
      `${id}.`,
      `${id}.${mac}x`,
      `.${mac}`,
      String(mac),
    ])
      expect((await browser.visit(withParameter(one, "state", state))).status).toBe(400)
    expect((await browser.visit(withParameter(one, "state", `${random().slice(0, 22)}.${mac}`))).status).toBe(
      410,
    )
    await expectUntouched(() => browser.visit(one))
  })

  it("B11: who opens the link of a login that somebody else has finished is never shown its handoff", async () => {
    // The thief starts, keeps the verifier, and has a victim log in by the link.
    const login = await room.start()
    const [victim, thief] = [room.browser(), room.browser()]
    const handoff = handoffOf(await victim.finish(login))
    const callback = await thief.logIn(login)
    const spent = room.idp.calls.token
    for (const url of [callback, withParameter(callback, "code", null), `${callback}&error=access_denied`]) {
      const page = await thief.visit(url)
      expect([page.status, targetOf(page), page.body.includes(handoff)]).toEqual([400, null, false])
    }
    expect(reasons()).toContain("returned_before")
    expect(room.idp.calls.token).toBe(spent)
    expect((await room.post("/redeem", redemption(login, handoff, random()))).status).toBe(200)
  })

  it("B11: of two browsers that come back at once one has the login, and the other is shown nothing", async () => {
    const login = await room.start()
    const browsers = [room.browser(), room.browser()]
    const callbacks = await Promise.all(browsers.map((browser) => browser.logIn(login)))
    room.idp.faults.token = { delay: 100 }
    const pages = await Promise.all(browsers.map((browser, at) => browser.visit(String(callbacks[at]))))
    expect(pages.map(({ status }) => status).sort()).toEqual([200, 400])
    const reloads = await Promise.all(browsers.map((browser, at) => browser.visit(String(callbacks[at]))))
    expect(reloads.map(({ status }) => status)).toEqual(pages.map(({ status }) => status))
    const handoff = handoffOf(pages.find(({ status }) => status === 200) as never)
    expect(pages.find(({ status }) => status === 400)?.body).not.toContain(handoff)
    expect((await room.post("/redeem", redemption(login, handoff, random()))).status).toBe(200)
  })

  it.each([
    ["an error", (url: string) => `${withParameter(url, "code", null)}&error=access_denied`],
    ["a code that is none", (url: string) => withParameter(url, "code", "made-up")],
  ])("B11: who has the link and comes with %s ends the login in that browser alone", async (_, change) => {
    const login = await room.start()
    const [own, stranger] = [room.browser(), room.browser()]
    const [callback, theirs] = [await own.logIn(login), await stranger.logIn(login)]
    expect(backOf(await stranger.visit(change(theirs)))).toMatchObject({ state: login.state })
    expect((await stranger.visit(login.authorize_url)).status).toBe(410)
    // Not even with a code that is good: a login that has failed stays so for its browser.
    expect(backOf(await stranger.visit(theirs))).not.toHaveProperty("handoff")
    // The honest browser may begin anew, and may come back.
    expect((await own.visit(login.authorize_url)).status).toBe(303)
    const handoff = handoffOf(await own.visit(callback))
    expect((await room.post("/redeem", redemption(login, handoff, random()))).status).toBe(200)
  })

  it("B11: a cookie that another login set, or that is there twice, is no cookie of this one", async () => {
    const [own, stranger] = [room.browser(), room.browser()]
    const callback = await own.logIn(await room.start())
    await stranger.visit((await room.start()).authorize_url)
    const [name, value] = [...own.cookies][0] ?? []
    const [, other] = [...stranger.cookies][0] ?? []
    for (const cookie of [
      `${name}=${other}`,
      `${name}=${value}; ${name}=${value}`,
      `${name}=${other}; ${name}=${value}`,
      `${name}=`,
    ])
      expect((await room.ask(callback, { headers: { cookie } })).status).toBe(400)
    await expectUntouched(() => own.visit(callback))
  })
})

describe("B11: poll, where a stranger may have started the login", () => {
  it("grants nothing to who polls while the victim has opened the page and not clicked", async () => {
    const login = await room.start({ delivery: "poll" })
    const page = await room.browser().visit(login.authorize_url)
    expect([page.status, page.headers.Location]).toEqual([200, undefined])
    // Nothing on the page leads to the provider without the click.
    expect(page.body).not.toContain(room.idp.origin)
    expect([(await poll(login)).status, room.idp.calls.authorize]).toEqual([202, 0])
  })

  it("a thief who clicks himself and sends the provider's URL to the victim gets nothing", async () => {
    const login = await room.start({ delivery: "poll" })
    const [thief, victim] = [room.browser(), room.browser()]
    const token = String(tokenOf(await thief.visit(login.authorize_url)))
    const url = String(targetOf(await thief.click(login.authorize_url, token)))
    const callback = await atProvider(url)
    for (const ready of [false, true]) {
      if (ready) await victim.visit(login.authorize_url)
      expect((await victim.visit(callback)).status).toBe(400)
    }
    expect([(await poll(login)).status, room.idp.calls.token]).toEqual([202, 0])
  })

  it("the click needs the token of the page and the cookie of the browser that was shown it", async () => {
    const login = await room.start({ delivery: "poll" })
    const [thief, victim] = [room.browser(), room.browser()]
    const token = String(tokenOf(await thief.visit(login.authorize_url)))
    // Cross-site: SameSite keeps the cookie at home. With the page opened: a cookie, but not the token's.
    const crossSite = await victim.click(login.authorize_url, token)
    const own = String(tokenOf(await victim.visit(login.authorize_url)))
    const foreign = await victim.click(login.authorize_url, token)
    const without = await victim.visit(login.authorize_url, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      raw: "",
    })
    const twice = await victim.visit(login.authorize_url, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      raw: `confirm=${own}&confirm=${token}`,
    })
    const nothing = await room.browser().click(login.authorize_url, "null")
    for (const { status, headers } of [crossSite, foreign, without, twice, nothing])
      expect([status, headers.Location]).toEqual([400, undefined])
    const other = await room.start({ delivery: "poll" })
    await victim.visit(other.authorize_url)
    expect((await victim.click(other.authorize_url, own)).status).toBe(400)
    const left = await victim.click(login.authorize_url, own)
    expect([left.status, left.headers.Location]).toEqual([200, undefined])
    expect(targetOf(left)).toContain("/authorize?")
    expect((await poll(login)).status).toBe(202)
  })
})
