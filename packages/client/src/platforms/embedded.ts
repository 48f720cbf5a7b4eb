import { PkceError } from "../errors.js"
import type { Platform } from "./ports.js"

/**
 * Android marks a web view as `wv`; the rest are apps that name themselves. An iPhone's web view lacks the word that every
 * browser there bears.
 */
const EMBEDDED =
  /; wv\)|\bElectron\/|\bFB(?:AN|AV|_IAB)\b|\bInstagram\b|\bLine\/|\bMicroMessenger\/|\bmusical_ly|\bBytedanceWebview|\bSnapchat\/|\bLinkedInApp\b|\(iP(?:hone|ad|od)(?!.*\bSafari\/)/

/**
 * Whether a page runs in a web view inside an app, whose maker could read what is typed into it. What hides it is not found: this
 * is for the users' sake, and no defence against that app.
 *
 * @param userAgent of the page. Default: this page's; what is no page is not embedded.
 * @param standalone a page on an iPhone's home screen: it has a web view's user agent, and is the system's own.
 */
export function isEmbedded(
  userAgent: string = globalThis.navigator?.userAgent ?? "",
  standalone: boolean = Reflect.get(globalThis.navigator ?? {}, "standalone") === true,
): boolean {
  return !standalone && EMBEDDED.test(userAgent)
}

/**
 * A platform on which no login begins in a web view inside an app (RFC 8252 section 8.12): there `login()` throws
 * `embedded_user_agent`, before anything is opened, and the page asks its user to open it in the browser. For `web()`; the
 * platforms of apps open the system's browser.
 *
 * @example
 * ```ts
 * import { refuseEmbedded, web } from "@pkce/client/web"
 *
 * const platform = refuseEmbedded(web())
 * ```
 */
export function refuseEmbedded(platform: Platform): Platform {
  const { browser } = platform
  return {
    ...platform,
    browser: {
      ...browser,
      start(redirectUri, clock) {
        if (isEmbedded()) throw new PkceError("embedded_user_agent", "start")
        return browser.start(redirectUri, clock)
      },
    },
  }
}
