import { describe, expect, it, vi } from "vitest"
import { provider } from "../src/testing/backend.js"
import { codeOf, fakeDevice, honest } from "../src/testing/device.js"

const HOUR = 3_600_000
const settle = () => new Promise((resolve) => setTimeout(resolve, 60))
type Device = ReturnType<typeof fakeDevice>

const isRevoked = (device: Device) => [...device.backend.rows.values()].some((row) => row.revoked)

/** Works for a moment, and is then gone with everything that it had in memory. */
async function cutShort(work: Promise<unknown>) {
  void work.catch(() => {})
  await settle()
}

describe("R5 the app dies", () => {
  const points: [string, (device: Device) => void][] = [
    ["before the step is stored", (device) => device.storage.at(1, "dies before")],
    ["after the step is stored, before it is sent", (device) => device.storage.at(1, "dies after")],
    ["while the request is under way", (device) => device.backend.faults.push("hangs")],
    [
      "after the backend's commit, before the answer",
      (device) => device.backend.faults.push(hangAfterCommit),
    ],
    ["after the answer, before it is stored", (device) => device.storage.at(2, "dies before")],
    ["after the answer is stored", (device) => device.storage.at(2, "dies after")],
  ]
  const hangAfterCommit = () => new Promise<undefined>(() => {})

  it.each(points)("in a refresh %s: the next start goes on, nobody is logged out", async (_, plan) => {
    const device = fakeDevice({ providers: [provider] })
    await device.start().login()
    for (const pause of [1_000, HOUR]) {
      device.clock.advance(HOUR)
      plan(device)
      await cutShort(device.start().getSessionToken())
      device.backend.faults.splice(0)
      device.clock.advance(pause)
      const app = device.start()
      expect(await app.getSessionToken()).toMatch(/^st\./)
      expect(isRevoked(device)).toBe(false)
    }
    device.clock.advance(HOUR)
    expect(await device.start().getSessionToken()).toMatch(/^st\./)
  })

  it.each<[string, (device: Device) => void, boolean]>([
    ["before the code is stored", (device) => device.storage.at(1, "dies before"), false],
    ["after the code is stored", (device) => device.storage.at(1, "dies after"), true],
    ["while the exchange is under way", (device) => device.backend.faults.push("hangs"), true],
    ["after the grant, before it is stored", (device) => device.storage.at(2, "dies before"), true],
    ["after the grant is stored", (device) => device.storage.at(2, "dies after"), true],
  ])("in a login %s: the next start finishes it", async (_, plan, resumes) => {
    const device = fakeDevice({ providers: [provider] })
    device.answer = async () => ({ type: "left" })
    await device.start().login()
    const url = honest(device.backend, device.opened[0] ?? "")
    plan(device)
    await cutShort(device.start().handleRedirect(url))
    device.backend.faults.splice(0)

    const app = device.start()
    const { session } = await app.restore()
    expect(session !== null).toBe(resumes)
    // The system may deliver the callback once more; where the code was not yet taken, that is the way on.
    const again = await app.handleRedirect(url)
    expect(again !== null).toBe(!resumes)
    expect(app.session).not.toBeNull()
    expect(await app.getSessionToken()).toMatch(/^st\./)
    expect(device.backend.rows.size).toBe(1)
    expect(isRevoked(device)).toBe(false)
  })

  it("a login that waited is not in the way after the app died", async () => {
    const device = fakeDevice({ providers: [provider] })
    device.answer = () => new Promise(() => {})
    await cutShort(device.start().login())
    await vi.waitFor(() => expect(device.opened).toHaveLength(1))
    const app = device.start()
    expect(await app.restore()).toEqual({ session: null })
    expect(await app.handleRedirect(honest(device.backend, device.opened[0] ?? ""))).toMatchObject({
      status: "signed_in",
    })
  })
})

describe("R7 storage that fails", () => {
  it("no browser opens for a login that could not be stored", async () => {
    const device = fakeDevice({ providers: [provider] })
    const app = device.start()
    await app.restore()
    device.storage.failing = true
    expect(await codeOf(app.login())).toBe("storage_unavailable")
    expect(device.opened).toEqual([])
  })

  it("no step is sent that could not be stored; the session stays", async () => {
    const device = fakeDevice({ providers: [provider] })
    const app = device.start()
    await app.login()
    device.clock.advance(HOUR)
    const before = device.backend.requests.length
    device.storage.failing = true
    expect(await codeOf(app.getSessionToken())).toBe("storage_unavailable")
    expect(device.backend.requests).toHaveLength(before)
    expect(app.session).not.toBeNull()
    device.storage.failing = false
    expect(await app.getSessionToken()).toMatch(/^st\./)
  })

  it("a token that is still valid is given meanwhile", async () => {
    const device = fakeDevice({ providers: [provider] })
    const app = device.start()
    await app.login()
    device.storage.failing = true
    device.clock.advance(280_000)
    expect(await app.getSessionToken({ minTtl: 60 })).toMatch(/^st\./)
  })

  it("a grant that could not be stored is asked for again, identically", async () => {
    const device = fakeDevice({ providers: [provider] })
    const app = device.start()
    await app.login()
    device.clock.advance(HOUR)
    device.storage.at(2, "fails")
    expect(await codeOf(app.getSessionToken())).toBe("storage_unavailable")
    device.clock.advance(HOUR)
    expect(await app.getSessionToken()).toMatch(/^st\./)
    expect(isRevoked(device)).toBe(false)
    const [first, second] = device.backend.to("POST /refresh").map(({ body }) => body)
    expect(second).toEqual(first)
  })

  it("that cannot be read is not taken for a logout", async () => {
    const device = fakeDevice({ providers: [provider] })
    await device.start().login()
    device.storage.failing = true
    const app = device.start()
    expect(await app.restore().catch((e) => e)).toMatchObject({
      code: "storage_unavailable",
      retryable: true,
    })
    device.storage.failing = false
    expect((await app.restore()).session).not.toBeNull()
  })

  it("a record that this version cannot read is as good as none", async () => {
    const device = fakeDevice({ providers: [provider] })
    await device.storage.update(() => '{"v":99,"session":{}}')
    const app = device.start()
    expect(await app.restore()).toEqual({ session: null })
    await device.storage.update(() => "{torn")
    expect(await app.login()).toMatchObject({ status: "signed_in" })
  })
})
