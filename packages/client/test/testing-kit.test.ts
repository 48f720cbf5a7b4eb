import { http } from "msw"
import { setupServer } from "msw/node"
import { afterAll, expect, it } from "vitest"
import { createPkceClient } from "../src/client.js"
import { codeOf } from "../src/testing/device.js"
import {
  fakeBackend,
  fakeClock,
  fakeDevice,
  fakeStorage,
  mswHandlers,
  provider,
  REDIRECT,
} from "../src/testing/index.js"

const server = setupServer()
afterAll(() => server.close())

it("a link that the device hands over ends the login that waits for it", async () => {
  const device = fakeDevice()
  const app = device.start()
  device.answer = () => new Promise(() => {})
  const login = app.login()
  await expect.poll(() => device.opened.length).toBe(1)
  device.link(device.callbackFor(device.opened[0] ?? ""))
  expect(await login).toMatchObject({ status: "signed_in" })
})

it("a storage that is locked is told from one that fails, and neither from an empty one", async () => {
  const device = fakeDevice()
  await device.start().login()
  device.storage.locked = true
  expect(await codeOf(device.start().restore())).toBe("storage_locked")
  device.storage.locked = false
  device.storage.failing = true
  expect(await codeOf(device.start().restore())).toBe("storage_unavailable")
  device.storage.failing = false
  expect((await device.start().restore()).session).not.toBeNull()
})

it("waking up renews what is due", async () => {
  const device = fakeDevice()
  await device.start().login()
  device.clock.advance(3_600_000)
  device.wake()
  await expect.poll(() => device.backend.to("POST /refresh").length).toBe(1)
})

it("the backend answers the global fetch through msw, by the rules of the wire", async () => {
  const clock = fakeClock()
  const backend = fakeBackend(clock)
  server.use(...mswHandlers(http, backend, "https://api.example.com/auth"))
  server.listen({ onUnhandledRequest: "error" })
  const { http: _, ...platform } = fakeDevice({}, { clock, backend, storage: fakeStorage() }).platform()
  const auth = createPkceClient({
    server: "https://api.example.com/auth",
    redirectUri: REDIRECT,
    platform,
    providers: [provider],
  })
  expect(await auth.login()).toMatchObject({ status: "signed_in" })
  clock.advance(3_600_000)
  backend.faults.push("lost")
  expect(await auth.getSessionToken()).toMatch(/^st\./)
  expect(backend.to("POST /refresh")).toHaveLength(2)
  expect(await auth.sessions.list()).toHaveLength(1)
})
