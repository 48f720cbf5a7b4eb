import { keychainStorage, type NativeOutcome, nativeBrowser, nativeCrypto } from "./native.js"
import type { Platform } from "./ports.js"
import { sha256 } from "./sha256.js"

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
    remove(options: { key: string }): Promise<void>
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
  const crypto = nativeCrypto((length) => globalThis.crypto.getRandomValues(new Uint8Array(length)), sha256)

  /** A listener that may be ended before the plugin has answered. */
  function listen(added: Promise<Handle>): () => void {
    added.catch(() => {})
    return () => void added.then((handle) => handle.remove()).catch(() => {})
  }

  let prepared: Promise<void> | undefined
  const ready = () => {
    prepared ??= SecureStorage.setDefaultKeychainAccess(AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY)
    return prepared
  }

  return {
    name: "capacitor",
    crypto,
    browser: nativeBrowser({
      open: (url) =>
        new Promise<NativeOutcome>((resolve, reject) => {
          // P1: on Android it comes with the redirect too, and sometimes before the link does.
          const stop = listen(
            Browser.addListener("browserFinished", () => {
              stop()
              resolve({ type: "maybe" })
            }),
          )
          Browser.open({ url }).catch((error) => {
            stop()
            reject(error)
          })
        }),
      close: () => Browser.close(),
      visit: (url) => Browser.open({ url }),
    }),
    storage: keychainStorage(
      {
        get: async (key) => ready().then(() => SecureStorage.getItem(key)),
        set: async (key, value) => ready().then(() => SecureStorage.setItem(key, value)),
        delete: async (key) => ready().then(() => SecureStorage.removeItem(key)),
      },
      name,
      crypto,
      Preferences && {
        get: async (key) => (await Preferences.get({ key })).value,
        set: (key, value) => Preferences.set({ key, value }),
        delete: (key) => Preferences.remove({ key }),
      },
    ),
    callbackUrl: async () => (await App.getLaunchUrl())?.url ?? null,
    links: (listener) => listen(App.addListener("appUrlOpen", ({ url }) => listener(url))),
    wakes: (listener) => listen(App.addListener("resume", listener)),
  }
}
