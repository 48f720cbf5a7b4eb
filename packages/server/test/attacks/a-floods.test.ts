import { createServer } from "node:http"
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from "vitest"
import { memoryStore } from "../../src/stores/memory.js"
import { APP, type HostedRoom, MOUNT, openHosted, tokenOf, verdict } from "../support/hosted-room.js"
import { running } from "../support/mounts.js"
import { parsed, random, s256, withoutPush } from "../support/server.js"

let room: HostedRoom
/** The limits go by it; it stands still, so that nothing comes back while a test runs. */
let clock: MockInstance<() => number>
beforeEach(() => {
  clock = vi.spyOn(performance, "now").mockReturnValue(performance.now())
})
afterEach(async () => {
  clock.mockRestore()
  await room.close()
})

/** And a little more: a minute of a clock that counts in fractions may be a hair short. */
const aMinuteLater = () => clock.mockReturnValue(performance.now() + 60_001)

const asked = () => ({
  delivery: "redirect",
  redirect_uri: APP,
  state: random(),
  code_challenge: s256(random()),
})
const start = (address?: string) => room.post("/start", asked(), address === undefined ? {} : { address })

describe("A7: floods of started logins", () => {
  it("A7: one address has 200 at once and 30 a minute, then 429 before any work; others go on", async () => {
    room = await openHosted({ rateLimit: { perMinute: 10, burst: 20 } })
    for (let login = 0; login < 200; login++) expect((await start("192.0.2.1")).status).toBe(200)
    const calls = { ...room.store.calls }
    const refused = await start("192.0.2.1")
    expect(verdict(refused)).toEqual([429, "rate_limited"])
    expect(parsed(refused)).toMatchObject({ retryable: true, retry_after: 2 })
    expect(refused.headers["Retry-After"]).toBe("2")
    expect(room.store.calls).toEqual(calls)
    expect((await start("192.0.2.2")).status).toBe(200)
    expect((await room.auth.config()).providers).toHaveLength(1)
    aMinuteLater()
    for (let login = 0; login < 30; login++) expect((await start("192.0.2.1")).status).toBe(200)
    expect((await start("192.0.2.1")).status).toBe(429)
  })

  it("A7: an IPv6 customer counts as one, and a refused start does not count", async () => {
    room = await openHosted({ rateLimit: { perMinute: 10, burst: 20 } })
    const evil = { ...asked(), redirect_uri: "https://evil.example/" }
    for (let login = 0; login < 250; login++)
      expect((await room.post("/start", evil, { address: "2001:db8::1" })).status).toBe(400)
    for (let login = 0; login < 200; login++)
      expect((await start(`2001:db8::${login.toString(16)}`)).status).toBe(200)
    expect((await start("2001:db8::ffff")).status).toBe(429)
    expect((await start("2001:db8:0:1::1")).status).toBe(200)
  })

  it("A7: all together have 10,000 at once and 1200 a minute, whatever their addresses, also where the rate limit is off", async () => {
    // What a start costs is not the matter here: a store that keeps nothing.
    const none = {
      ...withoutPush(memoryStore()),
      claim: async () => ({ outcome: "claimed" as const, now: 0 }),
    }
    room = await openHosted({ rateLimit: false, store: none })
    for (let login = 0; login < 10_000; login++) {
      const address = `10.1.${login >> 8}.${login & 255}`
      await room.auth.start(asked() as never, login % 2 === 0 ? { clientAddress: address } : undefined)
    }
    expect(verdict(await start("192.0.2.1"))).toEqual([429, "rate_limited"])
    expect(verdict(await start())).toEqual([429, "rate_limited"])
    aMinuteLater()
    for (let login = 0; login < 1200; login++) await room.auth.start(asked() as never)
    expect((await start()).status).toBe(429)
  })

  it("A7: what a start leaves in the store is there for ten minutes", async () => {
    room = await openHosted()
    const kept: [string, string][] = []
    const claim = room.store.claim.bind(room.store)
    const times: number[] = []
    Object.assign(room.options.store ?? {}, {
      claim: (...args: Parameters<typeof claim>) => {
        kept.push([args[0], args[1]])
        times.push(args[3])
        return claim(...args)
      },
    })
    const login = await room.start()
    expect(kept).toEqual([["login", login.login_id]])
    expect(login).toMatchObject({
      authorize_url: `${MOUNT}/login/${login.login_id}`,
      expires_in: 600,
      poll_interval: 2,
    })
    expect(room.events).toContainEqual(
      expect.objectContaining({ type: "auth.hosted.started", provider: "default", delivery: "redirect" }),
    )
    expect(times).toEqual([600])
    expect(await room.store.peek("login", login.login_id)).not.toBeNull()
    room.jump(600)
    expect(await room.store.peek("login", login.login_id)).toBeNull()
  })

  it("A7: one login that is opened again and again calls the provider for one address 400 times at once and 60 a minute; others go on", async () => {
    let pushed = 0
    const endpoint = await running(
      createServer((request, response) => {
        pushed++
        request.resume()
        response.writeHead(201, { "content-type": "application/json" })
        response.end('{"request_uri":"urn:example:1"}')
      }),
    )
    const metadata = { pushed_authorization_request_endpoint: `${endpoint.origin}/par` }
    room = await openHosted({ rateLimit: { perMinute: 10, burst: 20 } }, { metadata })
    const { authorize_url } = await room.start()
    const open = async (address: string) => (await room.ask(authorize_url, { address })).status
    for (let time = 0; time < 400; time++) expect(await open("192.0.2.1")).toBe(303)
    const refused = await room.ask(authorize_url, { address: "192.0.2.1" })
    expect([refused.status, refused.headers.Location, refused.headers["Set-Cookie"]]).toEqual([
      429,
      undefined,
      undefined,
    ])
    expect(pushed).toBe(400)
    expect(await open("192.0.2.2")).toBe(303)
    aMinuteLater()
    for (let time = 0; time < 60; time++) expect(await open("192.0.2.1")).toBe(303)
    expect([await open("192.0.2.1"), pushed]).toEqual([429, 461])
    await endpoint.close()
  })

  it("A7: so does the button of a poll's page, which is shown as often as anybody likes", async () => {
    room = await openHosted({ rateLimit: { perMinute: 10, burst: 20 } })
    const { authorize_url } = await room.start({ delivery: "poll" })
    const browser = room.browser()
    const page = await browser.visit(authorize_url)
    const click = async (address: string) => {
      const headers = { "content-type": "application/x-www-form-urlencoded" }
      const raw = `confirm=${tokenOf(page)}`
      return (await browser.visit(authorize_url, { method: "POST", headers, raw, address })).status
    }
    for (let time = 0; time < 400; time++) expect(await click("192.0.2.1")).toBe(200)
    expect([await click("192.0.2.1"), await click("192.0.2.2")]).toEqual([429, 200])
    expect((await browser.visit(authorize_url, { address: "192.0.2.1" })).status).toBe(200)
  })
})
