import { webCrypto } from "../pkce/crypto.js"
import type { BrowserPort, ChangesPort, Platform } from "./ports.js"
import { indexedDbStorage } from "./web-storage.js"

export { refuseEmbedded } from "./embedded.js"

export interface WebOptions {
  /** From `@pkce/client/web-popup`: the login opens in a window of its own. Default: the full redirect, which works everywhere. */
  popup?: WebPopup
  /**
   * The session needs a cookie of the backend beside what IndexedDB holds, so that neither a copy of the one nor of the other
   * is of any use. App and backend must be one site; another origin of it must be in the backend's `allowedOrigins`.
   */
  bind?: "cookie"
  /** Keeps several clients on one origin apart. Default `pkce`. */
  name?: string
}

/** Another window for the login than this one. */
export type WebPopup = (name: string, fallback: BrowserPort) => Pick<Platform, "browser" | "callbackUrl">

/** The full redirect. */
const redirectBrowser: BrowserPort = {
  start: (redirectUri) => ({
    redirectUri,
    async open(url) {
      location.assign(url)
      return { type: "left" }
    },
    close() {},
  }),
  visit: (url) => location.assign(url),
}

function broadcastChanges(name: string): ChangesPort {
  const channel = new BroadcastChannel(name)
  return {
    post: () => channel.postMessage(0),
    subscribe(listener) {
      channel.onmessage = listener
    },
  }
}

/** Milliseconds for which a tab waits for another one, which may have been put to sleep in its turn. */
const TURN = 3000

/** Web Locks. */
const turn = (name: string) =>
  new Promise<() => void>((resolve, reject) => {
    const held = () => new Promise<void>((end) => resolve(end))
    navigator.locks.request(name, { signal: AbortSignal.timeout(TURN) }, held).catch(reject)
  })

/** The network is back, or the page is seen again, be it from the back-forward cache. */
function wakes(listener: () => void): void {
  addEventListener("online", listener)
  addEventListener("visibilitychange", () => document.hidden || listener())
}

/**
 * The browser as a platform: the session in IndexedDB (never localStorage), the other tabs by BroadcastChannel. Importing and
 * calling it on a server does nothing.
 *
 * @example
 * ```ts
 * const auth = createPkceClient({
 *   server: "/auth",
 *   redirectUri: `${location.origin}/callback`,
 *   platform: web(),
 * })
 * await auth.restore() // also takes the callback, and cleans the address bar
 * ```
 */
export function web({ popup, bind, name = "pkce" }: WebOptions = {}): Platform {
  return {
    name: "web",
    bind,
    crypto: webCrypto,
    browser: redirectBrowser,
    storage: indexedDbStorage(name),
    origin: () => globalThis.location?.origin,
    callbackUrl: () => globalThis.location?.href,
    // B10: the code does not stay in the history, nor does it become a referrer.
    clearCallbackUrl: () => history.replaceState(history.state, "", location.pathname),
    ...popup?.(`${name}:callback`, redirectBrowser),
    ...(globalThis.location && {
      changes: broadcastChanges(`${name}:changes`),
      lock: () => turn(`${name}:turn`),
      wakes,
    }),
  }
}
