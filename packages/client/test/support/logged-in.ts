import type { PkceClientEvent } from "../../src/session/events.js"
import { provider } from "../../src/testing/backend.js"
import { fakeDevice } from "../../src/testing/device.js"

export const HOUR = 3_600_000
export type Device = ReturnType<typeof fakeDevice>

/** An app whose user has just logged in; its backend has been asked for nothing since. */
export async function loggedIn(device: Device = fakeDevice({ providers: [provider] })) {
  const app = device.start()
  await app.login()
  device.backend.requests.splice(0)
  const events: PkceClientEvent[] = []
  app.subscribe((event) => events.push(event))
  return { device, app, events, token: await app.getSessionToken() }
}
