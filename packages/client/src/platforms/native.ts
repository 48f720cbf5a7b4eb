import type { BrowserPort } from "./ports.js"

/** Something that was subscribed to, as React Native's modules hand it out. */
export interface Subscription {
  remove(): void
}

/** `Linking` of React Native and of Expo. */
export interface LinkingLike {
  addEventListener(type: "url", listener: (event: { url: string }) => void): Subscription
  getInitialURL(): Promise<string | null | undefined>
  openURL(url: string): Promise<unknown>
}

/** `AppState` of React Native. */
export interface AppStateLike {
  addEventListener(type: "change", listener: (state: string) => void): Subscription
}

/**
 * Milliseconds between a browser that is reported as gone and the callback that may still be on its way: Android tells the
 * app that it is in front before it hands over the link.
 */
const GRACE = 1500

/** Links and wakings of React Native, with or without Expo. */
export const nativeApp = (linking: LinkingLike, appState: AppStateLike) => ({
  links: (listener: (url: string) => void) => linking.addEventListener("url", ({ url }) => listener(url)),
  // A module that cannot tell is no reason not to start.
  callbackUrl: () => linking.getInitialURL().catch(() => null),
  wakes: (listener: () => void) =>
    appState.addEventListener("change", (state) => {
      if (state === "active") listener()
    }),
})

export interface NativeBrowser {
  /**
   * Resolves when the browser is gone, or earlier, with what is known: the callback, or `cancel` where the user has cancelled;
   * after all else the callback may still be on its way, by a link.
   */
  open(url: string, redirectUri: string): Promise<{ type: string; url?: string }>
  close(): unknown
  visit(url: string): unknown
}

/**
 * A browser whose callback comes from its own answer or by a link, whichever is first: the client takes the links itself, and
 * closes the run when one of them ends the login.
 */
export function nativeBrowser(browser: NativeBrowser): BrowserPort {
  return {
    start(redirectUri, clock) {
      let isOpen = false
      let cancel = () => {}
      return {
        redirectUri,
        open: (url, expects) =>
          new Promise((resolve, reject) => {
            cancel = () => resolve({ type: "cancelled" })
            isOpen = true
            browser.open(url, redirectUri).then(({ type, url }) => {
              isOpen = false
              const end = () => (url ? resolve({ type: "callback", url }) : cancel())
              // P4: a module may answer with an older link, while the callback is still on its way.
              if (url ? expects(url) : type === "cancel") end()
              else clock.after(GRACE, end)
            }, reject)
          }),
        async close() {
          cancel()
          try {
            if (isOpen) {
              isOpen = false
              await browser.close()
            }
          } catch {
            // Closing what the user has closed already is an error for some modules and none for us.
          }
        },
      }
    },
    visit: browser.visit,
  }
}
