import { afterAll, afterEach, describe, expect, it } from "vitest"
import { createPkceServer } from "../src/server.js"
import type { PkceServer } from "../src/server-types.js"
import { subjectOf } from "../src/session/subject.js"
import {
  grantOf,
  type HostedRoom,
  handoffOf,
  openHosted,
  polling,
  redemption,
} from "./support/hosted-room.js"
import { modelStores } from "./support/model-stores.js"
import { random } from "./support/server.js"
import { notRun } from "./support/services.js"

const { stores, missing } = await modelStores()
for (const name of missing) notRun(`hosted login of a fleet on ${name}`)

/** Two processes that share nothing but the store and the secrets. */
let room: HostedRoom
let twin: PkceServer
async function openFleet(store: (typeof stores)[number]["store"]) {
  room = await openHosted({ store: store(Date) })
  // The stores of servers outlive the rooms.
  room.idp.user = { sub: random() }
  twin = createPkceServer(room.options)
}
afterEach(async () => {
  await twin.close()
  await room.close()
})
afterAll(async () => {
  for (const store of stores) await store.close()
})

const both = () => [room.auth, twin, room.auth, twin]
const live = async () => {
  const sub = await subjectOf(room.idp.issuer, room.idp.user.sub)
  return (await room.auth.sessions.list(sub)).length
}

describe.each(stores)("J4: two processes on $name", ({ store }) => {
  it("J4: each leg may go to another process, and identical redemptions at once are one session", async () => {
    await openFleet(store)
    const login = await room.start({}, twin)
    const browser = room.browser()
    const callback = await browser.logIn(login)
    const handoff = handoffOf(await browser.visit(callback, { on: twin }))
    const body = redemption(login, handoff, random())
    const answers = await Promise.all(both().map((on) => room.post("/redeem", body, { on })))
    expect(new Set(answers.map(grantOf).map(({ refresh_token }) => refresh_token)).size).toBe(1)
    expect([await live(), room.idp.calls.token]).toEqual([1, 1])
  })

  it("J4: different redemptions at once at two processes leave no session that lives", async () => {
    await openFleet(store)
    const login = await room.start()
    const handoff = handoffOf(await room.browser().finish(login))
    const bodies = both().map((on) => ({ on, body: redemption(login, handoff, random()) }))
    const answers = await Promise.all(bodies.map(({ on, body }) => room.post("/redeem", body, { on })))
    expect(answers.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1)
    for (const { on, body } of bodies) expect((await room.post("/redeem", body, { on })).status).toBe(400)
    expect(await live()).toBe(0)
  })

  it("J4: identical polls at once, while the user comes back, are 202 or one session", async () => {
    await openFleet(store)
    const login = await room.start({ delivery: "poll" })
    const browser = room.browser()
    const callback = await browser.logIn(login, twin)
    const body = polling(login, random())
    const polls = () => both().map((on) => room.post("/poll", body, { on }))
    const [page, ...answers] = await Promise.all([browser.visit(callback), ...polls()])
    expect(page?.status).toBe(200)
    const later = await Promise.all(polls())
    const granted = [...answers, ...later].filter(({ status }) => status !== 202)
    expect(granted.length).toBeGreaterThanOrEqual(later.length)
    expect(new Set(granted.map(grantOf).map(({ refresh_token }) => refresh_token)).size).toBe(1)
    expect(await live()).toBe(1)
  })

  it("B11: of two browsers that come back at once at two processes one has the login", async () => {
    await openFleet(store)
    const login = await room.start()
    const browsers = [room.browser(), room.browser()]
    const callbacks = await Promise.all(browsers.map((browser) => browser.logIn(login)))
    const pages = await Promise.all(
      browsers.map((browser, at) => browser.visit(String(callbacks[at]), { on: both()[at] ?? twin })),
    )
    expect(pages.map(({ status }) => status).sort()).toEqual([200, 400])
  })
})
