import { describe, expect, it } from "vitest"
import { provider } from "../src/testing/backend.js"
import { fakeDevice, honest } from "../src/testing/device.js"

const YEAR = 365 * 24 * 3_600_000
type Device = ReturnType<typeof fakeDevice>

const onPhone = () => fakeDevice({ providers: [provider] })
const refreshes = (device: Device) => device.backend.to("POST /refresh").length
const live = (device: Device) => [...device.backend.rows.values()].filter(({ revoked }) => !revoked)

describe.each([
  ["ten years behind", -10 * YEAR],
  ["ten years ahead", 10 * YEAR],
  ["since 1970", -1_700_000_000_000],
])("R19 P14 a phone's clock that is wrong: %s", (_, offset) => {
  it("from the start: login, refresh and restart are as ever, and nothing is refused", async () => {
    const device = onPhone()
    device.clock.jump(offset)
    const app = device.start()
    expect(await app.login()).toMatchObject({ status: "signed_in" })
    const token = await app.getSessionToken()
    device.clock.advance(260_000)
    expect(await device.start().getSessionToken()).toBe(token)
    for (let step = 1; step <= 5; step++) {
      device.clock.advance(301_000)
      expect(await app.getSessionToken()).toMatch(/^st\./)
      expect(refreshes(device)).toBe(step)
    }
    expect(live(device)).toHaveLength(1)
  })

  it("by a jump in the middle of a session: one more step at the most, and no logout", async () => {
    const device = onPhone()
    const app = device.start()
    await app.login()
    device.clock.advance(60_000)
    device.clock.jump(offset)
    const before = refreshes(device)
    for (let call = 0; call < 10; call++) expect(await app.getSessionToken()).toMatch(/^st\./)
    expect(refreshes(device) - before).toBeLessThanOrEqual(1)
    const next = device.start()
    for (let call = 0; call < 10; call++) expect(await next.getSessionToken()).toMatch(/^st\./)
    expect(refreshes(device) - before).toBeLessThanOrEqual(2)
    // And no token lives longer for it.
    const token = await next.getSessionToken()
    device.clock.advance(301_000)
    expect(await next.getSessionToken()).not.toBe(token)
    expect(next.session).not.toBeNull()
  })

  it("by a jump between a request and its answer: the token counts from when it was asked for", async () => {
    const device = onPhone()
    const app = device.start()
    await app.login()
    device.clock.advance(3_600_000)
    device.backend.faults.push(() => {
      device.clock.jump(offset)
      return undefined
    })
    const began = device.clock.monotonic()
    const token = await app.getSessionToken()
    expect(token).toMatch(/^st\./)
    // What was asked for at a time that no clock shows any more is not believed, and one step more brings another.
    expect(refreshes(device)).toBeLessThanOrEqual(2)
    expect(device.clock.monotonic() - began).toBeLessThanOrEqual(10_000)
    device.clock.advance(260_000)
    expect(await app.getSessionToken()).toBe(token)
    device.clock.advance(41_000)
    expect(await app.getSessionToken()).not.toBe(token)
    expect(live(device)).toHaveLength(1)
  })

  it("a slow answer's token ends no later than the backend ends it", async () => {
    const device = onPhone()
    device.clock.jump(offset)
    const app = device.start()
    await app.login()
    device.clock.advance(3_600_000)
    // It is issued at once, and nine seconds on its way.
    device.backend.faults.push(async (seen) => {
      const answer = await device.backend.http(seen.url, seen.init)
      device.clock.advance(9_000)
      return answer
    })
    const token = await app.getSessionToken()
    device.clock.advance(290_500)
    expect(await app.getSessionToken({ minTtl: 0 })).toBe(token)
    device.clock.advance(1_000)
    expect(await app.getSessionToken({ minTtl: 0 })).not.toBe(token)
  })

  it("by a jump while the user is in the browser: the login succeeds, or says flow_expired and the next one succeeds", async () => {
    const device = onPhone()
    const app = device.start()
    await app.login()
    const id = app.session?.id
    device.answer = async (url) => {
      device.clock.jump(offset)
      return { type: "callback", url: honest(device.backend, url) }
    }
    const outcome = await app.login().catch((error) => error.code)
    // B9: only what is older by a clock is over; a clock that went back never is a reason within one run of the app.
    if (offset > 0) expect(outcome).toBe("flow_expired")
    else expect(outcome).toMatchObject({ status: "signed_in" })
    if (offset > 0) expect(app.session?.id).toBe(id)
    device.answer = async (url) => ({ type: "callback", url: honest(device.backend, url) })
    expect(await app.login()).toMatchObject({ status: "signed_in" })
    expect(live(device)).toHaveLength(1)
  })
})
