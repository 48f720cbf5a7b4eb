import { afterEach, describe, expect, it } from "vitest"
import { HOSTS, host } from "./support/hosts.js"

const HOUR = 3_600_000
let device: ReturnType<typeof host>
afterEach(() => {
  device.kill()
  device.clear()
})

describe.each(Object.keys(HOSTS) as (keyof typeof HOSTS)[])("P9 without a network, on %s", (kind) => {
  async function signedInAndRestarted() {
    device = host(kind)
    const before = await device.login()
    const id = before.session?.id
    const token = await before.getSessionToken()
    // Whoever asked now would wait for ever.
    device.backend.faults.push(...Array.from({ length: 20 }, () => "hangs" as const))
    device.backend.requests.splice(0)
    return { id, token, app: device.start() }
  }

  it("a start has the session, and its token while that is valid, and asks nobody", async () => {
    const { id, token, app } = await signedInAndRestarted()
    const began = device.clock.monotonic()
    const { session } = await app.restore()
    expect(session).toMatchObject({ id, provider: "main" })
    expect(session).not.toHaveProperty("stale")
    expect(await app.getSessionToken()).toBe(token)
    expect(device.clock.monotonic()).toBe(began)
    expect(device.backend.requests).toEqual([])
  })

  it("a token that is about to end is given all the same, while its renewal waits for the network", async () => {
    const { token, app } = await signedInAndRestarted()
    device.clock.advance(280_000)
    const began = device.clock.monotonic()
    expect(await app.getSessionToken()).toBe(token)
    expect(device.clock.monotonic()).toBe(began)
    await expect.poll(() => device.backend.to("POST /refresh").length).toBeGreaterThan(0)
  })

  it("long after it has ended the session is still there at once; the token is asked for a bounded time, and the next network brings it", async () => {
    const { id, app } = await signedInAndRestarted()
    device.clock.advance(29 * 24 * HOUR)
    const began = device.clock.monotonic()
    expect((await app.restore()).session).toMatchObject({ id, stale: true })
    expect(device.clock.monotonic()).toBe(began)
    expect(device.backend.requests).toEqual([])
    expect(await app.getSessionToken().catch((error) => error)).toMatchObject({
      code: "network",
      retryable: true,
    })
    expect(device.clock.monotonic() - began).toBeLessThanOrEqual(15_000)
    expect(app.session?.id).toBe(id)
    device.backend.faults.splice(0)
    expect(await app.getSessionToken()).toMatch(/^st\./)
    expect(app.session).not.toHaveProperty("stale")
    expect(device.events.map(({ type }) => type)).not.toContain("signed_out")
  })
})
