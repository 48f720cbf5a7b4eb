import { PkceError } from "../errors.js"
import { originOf } from "../pkce/url.js"
import type { BrowserOutcome, BrowserPort } from "./ports.js"

/** Pages of the backend that tell the app the result by a message. */
export interface BridgePort {
  /** The origin of this page, where the message is to be posted to it; none for a native bridge. */
  origin?(): string | undefined
  /** `base` is the backend's mount. */
  browser(base: () => string): BrowserPort
}

/** What the app does with an embedded view; see {@link webView}. */
export interface WebViewGuard {
  /** Every message of the view, with the URL of the page that sent it. */
  message(data: unknown, pageUrl: string): void
  /**
   * Asked before every navigation of the main frame. `false`: do not go there. A view may show the backend's own pages alone;
   * a provider's page in it ends the login with `embedded_user_agent` (RFC 8252 section 8.12).
   */
  navigate(url: string): boolean
  /** The user has closed the view. */
  closed(): void
}

export interface WebViewLike {
  /** Shows the view. What it returns hides it. */
  open(url: string, guard: WebViewGuard): () => void
}

/** What a message stands for, as the URL that a redirect would have brought; for what is none of ours one that no login expects. */
function callbackOf(data: unknown): string {
  let message = data
  try {
    if (typeof data === "string") message = JSON.parse(data)
  } catch {
    return ""
  }
  const { type, ...members } = Object(message) as { [member: string]: unknown }
  if (type !== "pkce") return ""
  const known = ["handoff", "state", "iss", "error"].filter((name) => typeof members[name] === "string")
  return `${REDIRECT}?${known.map((name) => `${name}=${encodeURIComponent(String(members[name]))}`).join("&")}`
}

const REDIRECT = "pkce-message:result"

function run(open: (url: string, take: (data: unknown) => void, end: End) => () => void) {
  let end = (_: BrowserOutcome) => {}
  return {
    redirectUri: REDIRECT,
    open: (url: string, expects: (callbackUrl: string) => boolean) =>
      new Promise<BrowserOutcome>((resolve, reject) => {
        let hide = () => {}
        let over = false
        const finish = (settle: () => void) => {
          if (over) return
          over = true
          hide()
          settle()
        }
        end = (outcome) => finish(() => resolve(outcome))
        hide = open(
          url,
          (data) => {
            const callback = callbackOf(data)
            if (expects(callback)) end({ type: "callback", url: callback })
          },
          { cancel: () => end({ type: "cancelled" }), fail: (error) => finish(() => reject(error)) },
        )
        // It ended while it was being opened.
        if (over) hide()
      }),
    close: () => end({ type: "cancelled" }),
  }
}

interface End {
  cancel(): void
  fail(error: PkceError): void
}

/**
 * An embedded web view for the backend's own login pages (J3). Messages of other origins are not heard, and navigation to them
 * is refused: for a provider at another origin use the system's browser.
 *
 * @example
 * ```ts
 * const bridge = webView({
 *   open(url, guard) {
 *     show(url, {
 *       onMessage: ({ nativeEvent }) => guard.message(nativeEvent.data, nativeEvent.url),
 *       onShouldStartLoadWithRequest: ({ url }) => guard.navigate(url),
 *       onDismiss: () => guard.closed(),
 *     })
 *     return hide
 *   },
 * })
 * ```
 */
export const webView = (view: WebViewLike): BridgePort => ({
  browser: (base) => ({
    start: () =>
      run((url, take, end) => {
        const isOurs = (page: string) => originOf(page) === originOf(base())
        return view.open(url, {
          message: (data, pageUrl) => isOurs(pageUrl) && take(data),
          navigate(next) {
            if (isOurs(next)) return true
            end.fail(new PkceError("embedded_user_agent", "start"))
            return false
          },
          closed: end.cancel,
        })
      }),
  }),
})

/**
 * A window or a frame for the backend's login page, which posts the result to this page alone: the page's origin must be in the
 * backend's `hosted.origins`. Opened in the user's gesture, before anything is awaited.
 *
 * @param open opens an empty window, or gives a frame's; `null` where it is blocked
 * @example
 * ```ts
 * const bridge = messageWindow(() => window.open("", "_blank", "popup,width=480,height=720"))
 * ```
 */
export const messageWindow = (open: () => Window | null): BridgePort => ({
  origin: () => globalThis.location?.origin,
  browser: (base) => ({
    start() {
      const target = open()
      if (!target) throw new PkceError("authorization_error", "start")
      const shown = run((url, take, end) => {
        // J2: from the backend's page in the very window that was opened, and from nowhere else.
        const listen = ({ data, origin, source }: MessageEvent) => {
          if (source === target && origin === originOf(base())) take(data)
        }
        const look = setInterval(() => {
          if (target.closed && document.hasFocus()) end.cancel()
        }, 500)
        window.addEventListener("message", listen)
        target.location.replace(url)
        return () => {
          clearInterval(look)
          window.removeEventListener("message", listen)
          target.close()
        }
      })
      return {
        ...shown,
        close() {
          shown.close()
          // It is open from the first, and stays empty where nothing came of the start.
          target.close()
        },
      }
    },
  }),
})
