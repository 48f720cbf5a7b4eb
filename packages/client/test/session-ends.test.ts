import { describe, expect, it, vi } from "vitest"
import type { LogoutOptions } from "../src/session/logout.js"
import { answer } from "../src/testing/answers.js"
import { provider } from "../src/testing/backend.js"
import { codeOf, fakeDevice } from "../src/testing/device.js"
import { type Device, HOUR, loggedIn } from "./support/logged-in.js"

const revoked = ({ backend }: Device) => [...backend.rows.values()].map((row) => row.revoked)
const routes = ({ backend }: Device) => backend.requests.map(({ route }) => route)

describe("a logout", () => {
  it("is told as the app's own wish", async () => {
    const { app } = await loggedIn()
    const told: unknown[] = []
    app.subscribe((event) => told.push(event))
    await app.logout()
    expect(told).toEqual([{ type: "signed_out", session: null, reason: "logout" }])
  })

  describe("everywhere", () => {
    it("ends the other devices first, and this one after that", async () => {
      const { device, app } = await loggedIn()
      let asked: string[] = []
      device.backend.faults.push(async () => {
        await new Promise((resolve) => setTimeout(resolve))
        asked = routes(device)
        return undefined
      })
      await app.logout({ everywhere: true })
      expect(asked).toEqual(["DELETE /sessions"])
      expect(routes(device)).toEqual(["DELETE /sessions", "POST /logout"])
    })

    it("without a token, and without a network for one, ends this device alone", async () => {
      const { device, app } = await loggedIn()
      device.clock.advance(HOUR)
      device.backend.settings.whileDown = true
      await app.logout({ everywhere: true })
      expect(app.session).toBeNull()
      expect(routes(device)).not.toContain("DELETE /sessions")
    })
  })

  describe("the provider's page", () => {
    const PAGE = "https://id.example.com/end"

    it.each<[string, LogoutOptions, object]>([
      [
        "the app did not ask for it",
        { postLogoutRedirectUri: "https://app.example.com/" },
        { logout_url: PAGE },
      ],
      ["the backend names none", { provider: true }, {}],
      ["what the backend names is no text", { provider: true }, { logout_url: 7 }],
    ])("is not opened where %s", async (_, options, body) => {
      const { device, app } = await loggedIn()
      device.backend.faults.push(answer(200, body))
      await app.logout(options)
      expect(device.visited).toEqual([])
      expect(device.backend.requests[0]?.body).not.toHaveProperty("post_logout_redirect_uri")
    })

    it("is waited for, and missed by nobody on a platform that cannot open one", async () => {
      const device = fakeDevice({ providers: [provider] })
      device.backend.settings.logoutUrl = PAGE
      const { browser, ...platform } = device.platform()
      let shown = () => {}
      const visit = () =>
        new Promise<void>((resolve) => {
          shown = resolve
        })
      const app = device.start({ platform: { ...platform, browser: { ...browser, visit } } })
      await app.login()
      const done = vi.fn()
      const out = app.logout({ provider: true }).then(done)
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(done).not.toHaveBeenCalled()
      shown()
      await out
      const { visit: _, ...blind } = browser
      const other = device.start({ platform: { ...platform, browser: blind } })
      await other.login()
      await other.logout({ provider: true })
      expect(other.session).toBeNull()
    })
  })

  describe("R7 a storage that fails, in the first call of a new process", () => {
    it("once, at reading: the logout is carried out all the same", async () => {
      const { device } = await loggedIn()
      const read = () => Promise.reject(new Error("disk"))
      const platform = { ...device.platform(), storage: { ...device.storage, read } }
      await device.start({ platform }).logout()
      expect(device.storage.text()).toBeNull()
      expect(revoked(device)).toEqual(["session_revoked"])
    })

    it("at writing: the session ends at the backend, and the app is told", async () => {
      const { device } = await loggedIn()
      const update = () => Promise.reject(new Error("disk"))
      const platform = {
        ...device.platform(),
        storage: { ...device.storage, read: device.storage.read, update },
      }
      expect(await codeOf(device.start({ platform }).logout())).toBe("storage_unavailable")
      expect(revoked(device)).toEqual(["session_revoked"])
    })
  })
})
