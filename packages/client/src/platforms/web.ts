import { looksLikeCallback } from "../pkce/callback.js"
import type { BrowserPort, ChangesPort, Platform } from "./ports.js"
import { handOver, popupBrowser } from "./web-popup.js"
import { indexedDbStorage } from "./web-storage.js"

export interface WebOptions {
  /**
   * `redirect` (default) leaves the page and comes back to it: works everywhere. `popup` keeps the page, needs the user's
   * gesture, and becomes a redirect where the browser blocks the window. A closed window counts as cancelled once the user
   * is back on the page that opened it, since a provider's Cross-Origin-Opener-Policy makes an open one read as closed.
   */
  mode?: "redirect" | "popup"
  /** Keeps several clients on one origin apart. Default `pkce`. */
  name?: string
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
export function web({ mode = "redirect", name = "pkce" }: WebOptions = {}): Platform {
  const channel = `${name}:callback`

  return {
    name: "web",
    browser: mode === "popup" ? popupBrowser(channel, redirectBrowser) : redirectBrowser,
    storage: indexedDbStorage(name),
    origin: () => globalThis.location?.origin,
    callbackUrl() {
      const url = globalThis.location?.href ?? null
      return url && mode === "popup" && looksLikeCallback(url, url) ? handOver(channel, url) : url
    },
    // B10: the code does not stay in the history, nor does it become a referrer.
    clearCallbackUrl: () => history.replaceState(history.state, "", location.pathname),
    ...(globalThis.location && { changes: broadcastChanges(`${name}:changes`) }),
  }
}
