import { createHash, randomBytes } from "node:crypto"
import { createPkceClient, type PkceClientOptions } from "../../src/client.js"
import type { BrowserOutcome, Platform } from "../../src/platforms/ports.js"
import { ISSUER, type TestBackend, testBackend } from "./backend.js"
import { type TestClock, testClock } from "./clock.js"
import { memoryStorage, type TestStorage } from "./storage.js"

export const REDIRECT = "com.example.app://auth/callback"

/** The callback that an honest provider sends for an authorization URL. */
export function honest(backend: TestBackend, url: string): string {
  const state = new URL(url).searchParams.get("state") ?? ""
  const query = new URLSearchParams({ code: backend.issueCode(url), state, iss: ISSUER })
  return `${new URL(url).searchParams.get("redirect_uri")}?${query}`
}

/** A device with an app on it. Everything may be replaced; `start` starts the app again on the same storage. */
export function testDevice(
  options: Partial<PkceClientOptions> = {},
  shared: { clock?: TestClock; backend?: TestBackend; storage?: TestStorage } = {},
) {
  const clock = shared.clock ?? testClock()
  const backend = shared.backend ?? testBackend(clock)
  const storage = shared.storage ?? memoryStorage()
  const opened: string[] = []
  const visited: string[] = []
  const listeners = new Set<() => void>()
  const device = {
    clock,
    backend,
    storage,
    opened,
    visited,
    callbackUrl: null as string | null,
    cleared: 0,
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
