import { createHash, randomBytes } from "node:crypto"
import { createPkceClient, type PkceClientOptions } from "../client.js"
import type { BrowserOutcome, Platform } from "../platforms/ports.js"
import { type FakeBackend, fakeBackend, ISSUER } from "./backend.js"
import { type FakeClock, fakeClock } from "./clock.js"
import { type FakeStorage, fakeStorage } from "./storage.js"

/** The redirect URI of the app on the device. */
export const REDIRECT = "com.example.app://auth/callback"

/** The callback that an honest provider sends for an authorization URL, or the backend at the end of a hosted login. */
export function honest(backend: FakeBackend, url: string): string {
  if (url.includes("/login/")) return backend.finishLogin(url).url
  const state = new URL(url).searchParams.get("state") ?? ""
  const query = new URLSearchParams({ code: backend.issueCode(url), state, iss: ISSUER })
  return `${new URL(url).searchParams.get("redirect_uri")}?${query}`
}

/**
 * A device with an app on it: the real client on a fake platform. `start` starts the app, and again on the same storage after a
 * kill; `answer` is how the user and the provider behave; `link` hands over a link; `callbackUrl` is what a cold start finds.
 *
 * @example
 * ```ts
 * const device = fakeDevice()
 * const auth = device.start()
 * expect(await auth.login()).toMatchObject({ status: "signed_in" })
 *
 * device.backend.faults.push("lost")
 * device.clock.advance(3_600_000)
 * expect(await device.start().getSessionToken()).toMatch(/./) // nobody is logged out by a lost answer
 * ```
 */
export function fakeDevice(
  options: Partial<PkceClientOptions> = {},
  shared: { clock?: FakeClock; backend?: FakeBackend; storage?: FakeStorage } = {},
) {
  const clock = shared.clock ?? fakeClock()
  const backend = shared.backend ?? fakeBackend(clock)
  const storage = shared.storage ?? fakeStorage()
  const opened: string[] = []
  const visited: string[] = []
  const listeners = new Set<() => void>()
  const links = new Set<(url: string) => void>()
  const wakes = new Set<() => void>()
  const device = {
    clock,
    backend,
    storage,
    opened,
    visited,
    callbackUrl: null as string | null,
    cleared: 0,
    /** The system hands a link to the running app. */
    link: (url: string) => links.forEach((take) => void take(url)),
    /** The app comes to the front. */
    wake: () => wakes.forEach((tell) => void tell()),
    /** The callback of an honest provider for an authorization URL that was opened. */
    callbackFor: (url: string) => honest(backend, url),
    /** How the user and the provider answer. */
    answer: async (url: string, _expects: (url: string) => boolean): Promise<BrowserOutcome> => ({
      type: "callback",
      url: honest(backend, url),
    }),
    platform: (): Platform => ({
      name: "test",
      clock,
      // Synchronous, so that virtual time never overtakes it.
      crypto: {
        randomBytes: (length) => randomBytes(length),
        sha256: (data) => createHash("sha256").update(data).digest(),
      },
      http: backend.http,
      storage,
      browser: {
        start: (redirectUri) => {
          let cancel = () => {}
          return {
            redirectUri,
            open(url, expects) {
              opened.push(url)
              const cancelled = new Promise<BrowserOutcome>((resolve) => {
                cancel = () => resolve({ type: "cancelled" })
              })
              return Promise.race([device.answer(url, expects), cancelled])
            },
            close: () => cancel(),
          }
        },
        visit: (url) => void visited.push(url),
      },
      callbackUrl: () => device.callbackUrl,
      clearCallbackUrl: () => {
        device.callbackUrl = null
        device.cleared++
      },
      links: (listener) => void links.add(listener),
      wakes: (listener) => void wakes.add(listener),
      changes: {
        post: () => queueMicrotask(() => listeners.forEach((tell) => void tell())),
        subscribe: (listener) => {
          listeners.add(listener)
          return () => listeners.delete(listener)
        },
      },
    }),
    start: (more: Partial<PkceClientOptions> = {}) =>
      createPkceClient({
        server: "https://api.example.com/auth",
        redirectUri: REDIRECT,
        platform: device.platform(),
        ...options,
        ...more,
      }),
  }
  return device
}

/** The code of the `PkceError` that a promise rejects with. */
export const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "nothing",
    (error) => error.code ?? error,
  )
