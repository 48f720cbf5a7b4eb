import { looksLikeCallback } from "../pkce/callback.js"
import type { BrowserOutcome, BrowserPort } from "./ports.js"
import type { WebPopup } from "./web.js"

/** Milliseconds: how often a closed window is looked for, and how long the page that opened it may take to answer. */
const LOOK = 500
const ANSWER = 1000

const taken = (url: string) => `taken ${url}`

/**
 * The popup's side: the page at the redirect URI gives its URL to the page that waits for it, and closes. Where nobody
 * waits (the page was closed, or this was no popup), the URL is this page's own to finish.
 */
async function handOver(name: string, url: string): Promise<string | null> {
  const channel = new BroadcastChannel(name)
  const isTaken = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), ANSWER)
    channel.onmessage = ({ data }) => {
      if (data !== taken(url)) return
      clearTimeout(timer)
      resolve(true)
    }
    channel.postMessage(url)
  })
  channel.close()
  if (!isTaken) return url
  history.replaceState(history.state, "", location.pathname)
  window.close()
  return null
}

/** A window that is opened in the user's gesture, before anything is awaited; where it is blocked, the full redirect. */
function popupBrowser(name: string, fallback: BrowserPort): BrowserPort {
  return {
    ...fallback,
    start(redirectUri, clock) {
      const popup = window.open("", "_blank", "popup,width=480,height=720")
      if (!popup) return fallback.start(redirectUri, clock)
      const channel = new BroadcastChannel(name)
      let end = (_: BrowserOutcome) => {}
      return {
        redirectUri,
        open: (url, expects) =>
          new Promise((resolve) => {
            end = (outcome) => {
              clearInterval(look)
              resolve(outcome)
            }
            channel.onmessage = ({ data }) => {
              // Only pages of this origin speak here; the state still decides whose answer it is.
              if (!expects(data)) return
              channel.postMessage(taken(data))
              end({ type: "callback", url: data })
            }
            // A Cross-Origin-Opener-Policy of the provider makes an open window read as closed. Its user is in that window:
            // only one who is back on this page has given up.
            const look = setInterval(() => {
              if (popup.closed && document.hasFocus()) end({ type: "cancelled" })
            }, LOOK)
            popup.location.replace(url)
          }),
        close() {
          end({ type: "cancelled" })
          channel.close()
          popup.close()
        },
      }
    },
  }
}

/**
 * A window for the login, so that the page stays. It needs the user's gesture, and becomes a redirect where the browser blocks
 * it. A closed window counts as cancelled once the user is back on the page that opened it, since a provider's
 * Cross-Origin-Opener-Policy makes an open one read as closed.
 *
 * @example
 * ```ts
 * const platform = web({ popup })
 * ```
 */
export const popup: WebPopup = (name, fallback) => ({
  browser: popupBrowser(name, fallback),
  callbackUrl() {
    const url = globalThis.location?.href
    return url && looksLikeCallback(url, url) ? handOver(name, url) : url
  },
})
