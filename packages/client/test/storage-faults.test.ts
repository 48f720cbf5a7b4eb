import { describe, expect, it } from "vitest"
import type { PkceClient } from "../src/client.js"
import type { StoragePort } from "../src/platforms/ports.js"
import { provider } from "../src/testing/backend.js"
import { fakeDevice, honest } from "../src/testing/device.js"

const HOUR = 3_600_000
type Device = ReturnType<typeof fakeDevice>

/** Fails at call `at`: before anything was done, or after the write had become durable all the same. */
function failing(storage: StoragePort, at: number, when: "before" | "after") {
  let calls = 0
  async function call<T>(work: () => Promise<T>): Promise<T> {
    const fails = ++calls === at
    if (fails && when === "before") throw new Error("disk")
    const result = await work()
    if (fails) throw new Error("disk")
    return result
  }
  return {
    calls: () => calls,
    port: { read: () => call(() => storage.read()), update: (change) => call(() => storage.update(change)) },
  } satisfies { calls: () => number; port: StoragePort }
}

const on = (device: Device, storage: StoragePort) =>
  device.start({ platform: { ...device.platform(), storage } })

/** What an app does, on a device that has got so far. The answer is true where a session must be there afterwards. */
const works: Record<
  string,
  {
    before: (device: Device) => Promise<unknown>
    work: (app: PkceClient, device: Device) => Promise<unknown>
    remains: boolean
  }
> = {
  "a first login": { before: async () => {}, work: (app) => app.login(), remains: false },
  "a second login": { before: (device) => device.start().login(), work: (app) => app.login(), remains: true },
  restore: { before: (device) => device.start().login(), work: (app) => app.restore(), remains: true },
  "restore with a callback": {
    async before(device) {
      device.answer = async () => ({ type: "left" })
      await device.start().login()
      device.callbackUrl = honest(device.backend, device.opened[0] ?? "")
    },
    // What a page does after a failure that is retryable: it asks again.
    work: async (app) => {
      const { login } = await app.restore().catch(() => app.restore())
      if (login?.status === "failed") await app.restore()
    },
    remains: true,
  },
  "a refresh": {
    async before(device) {
      await device.start().login()
      device.clock.advance(HOUR)
    },
    work: (app) => app.getSessionToken(),
    remains: true,
  },
}

describe.each(["before", "after"] as const)(
  "R7 each call of the storage fails once, %s its effect",
  (when) => {
    it.each(Object.keys(works))(
      "in %s: a typed error, nothing lost, and it works afterwards",
      async (name) => {
        const { before, work, remains } = works[name] ?? expect.fail()
        for (let at = 1; ; at++) {
          const device = fakeDevice({ providers: [provider] })
          await before(device)
          const storage = failing(device.storage, at, when)
          const app = on(device, storage.port)
          const error = await work(app, device).then(
            () => null,
            (reason) => reason,
          )
          if (error) expect(error, `${at}`).toMatchObject({ code: "storage_unavailable", retryable: true })
          if (storage.calls() < at) return expect(at).toBeGreaterThan(1)

          if (remains) expect((await app.restore()).session, `call ${at}`).not.toBeNull()
          else if (!app.session) await app.login()
          device.clock.advance(HOUR)
          // In this app and in the next start of it.
          expect(await app.getSessionToken(), `call ${at}`).toMatch(/^st\./)
          device.clock.advance(HOUR)
          const next = device.start()
          expect(await next.getSessionToken(), `call ${at}`).toMatch(/^st\./)
          const current = device.backend.rows.get(next.session?.id ?? "")
          expect(current).toMatchObject({ challenges: expect.anything() })
          expect([...device.backend.rows.values()].map(({ revoked }) => revoked)).not.toContain(
            "session_reuse_detected",
          )
        }
      },
    )

    it("in a logout: the session ends at the backend, and here at the second try at the latest", async () => {
      for (let at = 1; ; at++) {
        const device = fakeDevice({ providers: [provider] })
        await device.start().login()
        const storage = failing(device.storage, at, when)
        const app = on(device, storage.port)
        const error = await app.logout().then(
          () => null,
          (reason) => reason,
        )
        if (error) {
          expect(error, `${at}`).toMatchObject({ code: "storage_unavailable" })
          await app.logout()
        }
        if (storage.calls() < at) return expect(at).toBeGreaterThan(2)
        expect([...device.backend.rows.values()].map(({ revoked }) => revoked)).toEqual(["session_revoked"])
        expect(await device.start().restore()).toEqual({ session: null })
      }
    })
  },
)
