import { nativeBrowser } from "./native.js"
import type { CryptoPort, Platform } from "./ports.js"
import { sha256 } from "./sha256.js"
import { keychainStorage, undecryptable } from "./slots.js"

interface Handle {
  remove(): Promise<void>
}

/** The plugins that {@link capacitor} is made of. */
export interface CapacitorPlugins {
  /** `@capacitor/app` */
  App: {
    addListener(event: "appUrlOpen", listener: (event: { url: string }) => void): Promise<Handle>
    addListener(event: "resume", listener: () => void): Promise<Handle>
    getLaunchUrl(): Promise<{ url: string } | undefined>
  }
  /** `@capacitor/browser` */
  Browser: {
    open(options: { url: string }): Promise<void>
    close(): Promise<void>
    addListener(event: "browserFinished", listener: () => void): Promise<Handle>
  }
  /** `@aparajita/capacitor-secure-storage`. Never `@capacitor/preferences`, which is plain text. */
  SecureStorage: {
    setDefaultKeychainAccess(access: number): Promise<void>
    getItem(key: string): Promise<string | null>
    setItem(key: string, value: string): Promise<void>
    removeItem(key: string): Promise<void>
  }
  /** `@capacitor/preferences`, as a fence: it is uninstalled with the app, which the iOS keychain is not. It gets no secret. */
  Preferences?: {
    get(options: { key: string }): Promise<{ value: string | null }>
    set(options: { key: string; value: string }): Promise<void>
  }
}

export interface CapacitorOptions {
  /** Keeps several clients in one app apart. Default `pkce`. */
  name?: string
}

/** `KeychainAccess.afterFirstUnlockThisDeviceOnly` of the storage plugin. */
const AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY = 3

/**
 * Capacitor: the system's browser over the app, the keychain, deep links. The web view's own page never leaves the app.
 *
 * @example
 * ```ts
 * import { SecureStorage } from "@aparajita/capacitor-secure-storage"
 * import { App } from "@capacitor/app"
 * import { Browser } from "@capacitor/browser"
 *
 * export const auth = createPkceClient({
 *   server: "https://api.example.com/auth",
 *   redirectUri: "com.example.app://auth/callback",
 *   platform: capacitor({ App, Browser, SecureStorage }),
 * })
 * ```
 */
export function capacitor(plugins: CapacitorPlugins, { name = "pkce" }: CapacitorOptions = {}): Platform {
  const { App, Browser, SecureStorage, Preferences } = plugins
  // The web view has a secure generator; `subtle` it has in secure contexts only, which a scheme of the app's need not be.
  const crypto: CryptoPort = {
    randomBytes: (length) => globalThis.crypto.getRandomValues(new Uint8Array(length)),
    sha256,
  }

  return {
    name: "capacitor",
    crypto,
    browser: nativeBrowser({
      async open(url) {
        let finish = () => {}
        const finished = new Promise<void>((resolve) => {
          finish = resolve
        })
        // P1: on Android it comes with the redirect too, and sometimes before the link does.
        const listener = await Browser.addListener("browserFinished", finish)
        try {
          await Browser.open({ url })
          await finished
        } finally {
          listener.remove().catch(() => {})
        }
        return { type: "dismiss" }
      },
      close: () => Browser.close(),
      visit: (url) => Browser.open({ url }),
    }),
    storage: keychainStorage(
      {
        getItem: (key) => SecureStorage.getItem(key).catch(undecryptable),
        async setItem(key, value) {
          await SecureStorage.setDefaultKeychainAccess(AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY)
          await SecureStorage.setItem(key, value)
        },
        removeItem: (key) => SecureStorage.removeItem(key),
      },
      name,
      crypto,
      Preferences && {
        getItem: async (key) => (await Preferences.get({ key })).value,
        setItem: (key, value) => Preferences.set({ key, value }),
      },
    ),
    // A plugin that is not there is no reason not to start.
    callbackUrl: async () => (await App.getLaunchUrl().catch(() => null))?.url,
    links: (listener) => App.addListener("appUrlOpen", ({ url }) => listener(url)).catch(() => {}),
    wakes: (listener) => App.addListener("resume", listener).catch(() => {}),
  }
}
