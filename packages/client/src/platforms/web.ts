import { looksLikeCallback } from "../pkce/callback.js"
import type { BrowserPort, ChangesPort, Platform } from "./ports.js"
import { indexedDbStorage } from "./web-storage.js"

export interface WebOptions {
  /** From `@pkce/client/web-popup`: the login opens in a window of its own. Default: the full redirect, which works everywhere. */
  popup?: WebPopup
  /** Keeps several clients on one origin apart. Default `pkce`. */
  name?: string
}

/** Another window for the login than this one. */
export interface WebPopup {
  browser(name: string, fallback: BrowserPort): BrowserPort
  handOver(name: string, url: string): Promise<string | null>
}

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
      return () => channel.close()
    },
  }
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
export function web({ popup, name = "pkce" }: WebOptions = {}): Platform {
  const channel = `${name}:callback`

  return {
    name: "web",
    browser: popup?.browser(channel, redirectBrowser) ?? redirectBrowser,
    storage: indexedDbStorage(name),
    origin: () => globalThis.location?.origin,
    callbackUrl() {
      const url = globalThis.location?.href ?? null
      return url && popup && looksLikeCallback(url, url) ? popup.handOver(channel, url) : url
    },
    // B10: the code does not stay in the history, nor does it become a referrer.
    clearCallbackUrl: () => history.replaceState(history.state, "", location.pathname),
    ...(globalThis.location && { changes: broadcastChanges(`${name}:changes`) }),
  }
}
