import { describe, expect, it } from "vitest"
import { answer, refusal, type Seen } from "../src/testing/answers.js"
import { provider } from "../src/testing/backend.js"
import { codeOf, fakeDevice } from "../src/testing/device.js"
import { type Device, HOUR, loggedIn } from "./support/logged-in.js"

const steps = (device: Device) => device.backend.to("POST /refresh").length
const generation = (device: Device) => [...device.backend.rows.values()][0]?.gen

/** The next request is answered as ever, but for these members. */
function change({ backend }: Device, members: object): void {
  const changed = async ({ url, init }: Seen) => {
    const reply = await backend.http(url, init)
    return answer(200, { ...(await reply.json()), ...members })
  }
  backend.faults.push(changed, () => undefined)
}
const withoutToken = (device: Device) => change(device, { session_token: undefined, expires_in: undefined })

/** How long something takes, in virtual milliseconds. */
async function timeOf({ clock }: Device, work: () => Promise<unknown>): Promise<number> {
  const start = clock.monotonic()
  await work()
  return clock.monotonic() - start
}

describe("to the millisecond", () => {
  it.each([
    [9_999, 0],
    [10_000, 1],
  ])("after %i ms there have been %i new generations", async (age, count) => {
    const { device, app } = await loggedIn()
    device.clock.advance(age)
    await app.refresh()
    expect(generation(device)).toBe(count)
  })

  it.each([
    [269_999, 0],
    [270_000, 1],
  ])("a token of 300 s is renewed after %i ms: %i", async (age, count) => {
    const { device, app, token } = await loggedIn()
    device.clock.advance(age)
    expect(await app.getSessionToken()).toBe(token)
    // Behind the caller's back, where there is one.
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(generation(device)).toBe(count)
  })

  it("a token is there until it ends, and the session is stale from then on", async () => {
    const { device, app, token } = await loggedIn()
    device.clock.advance(299_999)
    expect(app.session).not.toHaveProperty("stale")
    device.backend.settings.whileDown = true
    expect(await app.getSessionToken()).toBe(token)
    device.clock.advance(1)
    expect(app.session).toHaveProperty("stale", true)
  })

  it("one that ends while a longer one is asked for in vain is not given any more", async () => {
    const { device, app } = await loggedIn()
    device.clock.advance(295_000)
    device.backend.faults.push("hangs", "hangs", "hangs", "hangs")
    expect(await codeOf(app.getSessionToken({ minTtl: 60 }))).toBe("network")
  })
})

describe("rounds", () => {
  it("without a token: the rest of the spacing, a late repeat, and the step that brings one", async () => {
    const { device, app } = await loggedIn()
    device.clock.advance(HOUR)
    device.backend.settings.lifetime = 2
    await app.getSessionToken()
    device.clock.advance(3_000)
    withoutToken(device)
    expect(await timeOf(device, app.getSessionToken)).toBe(7_000 + 10_000)
    expect(app.session).not.toHaveProperty("stale")
    expect(generation(device)).toBe(3)
  })

  it("three at most: then the backend is as good as away", async () => {
    const { device, app } = await loggedIn()
    device.clock.advance(HOUR)
    for (let i = 0; i < 4; i++) withoutToken(device)
    expect(await app.getSessionToken().catch((error) => error)).toMatchObject({
      code: "network",
      retryable: true,
    })
    expect(generation(device)).toBe(3)
    expect(app.session).toHaveProperty("stale", true)
  })

  it("a repeat that comes an hour late is followed by the next step at once", async () => {
    const { device } = await loggedIn()
    const waits: number[] = []
    const clock = {
      ...device.clock,
      after(milliseconds: number, run: () => void) {
        waits.push(milliseconds)
        return device.clock.after(milliseconds, run)
      },
    }
    const app = device.start({ platform: { ...device.platform(), clock } })
    device.clock.advance(HOUR)
    device.backend.faults.push("lost", "lost", "lost", "lost")
    expect(await codeOf(app.getSessionToken())).toBe("network")
    device.clock.advance(HOUR)
    expect(await timeOf(device, app.getSessionToken)).toBe(0)
    expect(generation(device)).toBe(2)
    // Not every engine knows what to do with a wait of less than nothing.
    expect(Math.min(...waits)).toBe(0)
  })
})

describe("F3 another process, which tells nothing", () => {
  const sharing = ({ clock, backend, storage }: Device) =>
    fakeDevice({ providers: [provider] }, { clock, backend, storage })

  it("was faster: its token will do, and nobody is asked", async () => {
    const { device, app } = await loggedIn()
    const other = sharing(device).start()
    await other.restore()
    device.clock.advance(HOUR)
    const token = await app.getSessionToken()
    device.clock.advance(20_000)
    expect(await other.getSessionToken()).toBe(token)
    expect(steps(device)).toBe(1)
  })

  it("logged out, which is known before anything is sent", async () => {
    const { device, app, events } = await loggedIn()
    await sharing(device).start().logout()
    device.clock.advance(HOUR)
    expect(await app.getSessionToken()).toBeNull()
    expect(steps(device)).toBe(0)
    expect(events).toEqual([{ type: "signed_out", session: null, reason: "elsewhere" }])
  })
})

describe("what is no longer worth an answer is not repeated", () => {
  const failing = () => new Response("bad gateway", { status: 502 })

  it("after a logout: nobody is logged in, which is no error", async () => {
    const { device, app } = await loggedIn()
    device.clock.advance(HOUR)
    device.backend.faults.push(async () => {
      await app.logout()
      return failing()
    })
    expect(await app.getSessionToken()).toBeNull()
    expect(steps(device)).toBe(1)
  })

  it("after another tab had the answer", async () => {
    const { device, app } = await loggedIn()
    const other = device.start()
    await other.restore()
    device.clock.advance(HOUR)
    device.backend.faults.push(async () => {
      await other.getSessionToken()
      return failing()
    })
    expect(await app.getSessionToken()).toBe(await other.getSessionToken())
    expect(steps(device)).toBe(2)
  })
})

it.each([400, 403, 409, 500])("GR4 a %i with a code that ends sessions ends none", async (status) => {
  const { device, app } = await loggedIn()
  device.clock.advance(HOUR)
  device.backend.faults.push(refusal(status, "session_revoked"))
  expect(await codeOf(app.getSessionToken())).toBe("stalled")
  expect(app.session).not.toBeNull()
})

describe("a turn among the tabs", () => {
  function withTurns(device: Device) {
    const told: string[] = []
    const lock = async () => {
      told.push("taken")
      return () => void told.push("given back")
    }
    return { told, app: device.start({ platform: { ...device.platform(), lock } }) }
  }

  it("is taken before a step and given back after it, however that ends", async () => {
    const { device } = await loggedIn()
    const { told, app } = withTurns(device)
    device.clock.advance(HOUR)
    device.backend.faults.push(() => void told.push("sent"))
    await app.getSessionToken()
    device.clock.advance(HOUR)
    device.backend.faults.push(refusal(400, "invalid_request"))
    expect(await codeOf(app.getSessionToken())).toBe("stalled")
    expect(told).toEqual(["taken", "sent", "given back", "taken", "given back"])
  })

  it("is not asked for where nobody is logged in, and nothing is drawn or written", async () => {
    const device = fakeDevice()
    const { told, app } = withTurns(device)
    expect(await app.getSessionToken()).toBeNull()
    expect(told).toEqual([])
    expect(device.storage.writes()).toBe(0)
  })
})

describe("R19 P14 a clock that went back between two looks at the record", () => {
  it("makes no token live longer", async () => {
    const { device, app, token } = await loggedIn()
    device.clock.advance(200_000)
    device.clock.jump(-199_000)
    await app.restore()
    device.clock.advance(100_000)
    expect(await app.getSessionToken()).not.toBe(token)
  })

  it("puts no step off", async () => {
    const { device, app } = await loggedIn()
    device.clock.advance(9_000)
    device.clock.jump(-8_000)
    await app.restore()
    device.clock.advance(1_000)
    await app.refresh()
    expect(generation(device)).toBe(1)
  })
})

describe("the session that the app sees", () => {
  it("keeps what the provider said of the user, over every step and restart", async () => {
    const device = fakeDevice({ providers: [provider] })
    const user = { sub: "u", name: "Ada" }
    change(device, { user_info: user })
    const { app } = await loggedIn(device)
    expect(app.session).toMatchObject({ user, provider: "main" })
    device.clock.advance(HOUR)
    await app.getSessionToken()
    expect(app.session).toMatchObject({ user, provider: "main" })
    expect((await device.start().restore()).session).toEqual(app.session)
  })

  it("is signed_in, not refreshed, where another takes its place", async () => {
    const { device, app, events } = await loggedIn()
    await app.login()
    device.clock.advance(HOUR)
    await app.getSessionToken()
    expect(events.map(({ type }) => type)).toEqual(["signed_in", "refreshed"])
  })
})
