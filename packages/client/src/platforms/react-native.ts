import { type AppStateLike, type LinkingLike, nativeApp, nativeBrowser } from "./native.js"
import type { Platform } from "./ports.js"
import { sha256 } from "./sha256.js"
import { type FenceLike, keychainStorage, undecryptable } from "./slots.js"

/** The modules that {@link reactNative} is made of. */
export interface ReactNativeModules {
  /** `react-native-inappbrowser-reborn`. Without it, or where it is not available, the login opens in the browser app. */
  InAppBrowser?: {
    isAvailable(): Promise<boolean>
    openAuth(
      url: string,
      redirectUrl: string,
      options?: { ephemeralWebSession?: boolean; showInRecents?: boolean },
    ): Promise<{ type: string; url?: string }>
    closeAuth(): void
  }
  /** `react-native-keychain` */
  Keychain: {
    ACCESSIBLE: { AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY: string }
    STORAGE_TYPE: { AES_GCM_NO_AUTH: string }
    // biome-ignore lint/suspicious/noExplicitAny: its options are enums, which no structure matches
    getGenericPassword(options?: any): Promise<false | { password: string }>
    // biome-ignore lint/suspicious/noExplicitAny: as above
    setGenericPassword(user: string, password: string, options?: any): Promise<unknown>
    // biome-ignore lint/suspicious/noExplicitAny: as above
    resetGenericPassword(options?: any): Promise<unknown>
  }
  /** Cryptographically secure bytes, for instance by `react-native-get-random-values`. */
  randomBytes(length: number): Uint8Array
  /** `Linking` of React Native */
  Linking: LinkingLike
  /** `AppState` of React Native */
  AppState: AppStateLike
  /** As in Expo: such as AsyncStorage, to notice a reinstallation and a backup that cannot be opened. */
  fence?: FenceLike
}

export interface ReactNativeOptions {
  /** iOS: no cookies of the system's browser, and no question before it opens. Default false. */
  ephemeral?: boolean
  /** Keeps several clients in one app apart. Default `pkce`. */
  name?: string
}

/**
 * React Native without Expo: an authentication session or the browser app, the keychain, deep links.
 *
 * @example
 * ```ts
 * import "react-native-get-random-values"
 * import { AppState, Linking } from "react-native"
 * import { InAppBrowser } from "react-native-inappbrowser-reborn"
 * import * as Keychain from "react-native-keychain"
 *
 * const randomBytes = (length: number) => crypto.getRandomValues(new Uint8Array(length))
 * const platform = reactNative({ InAppBrowser, Keychain, Linking, AppState, randomBytes })
 * ```
 */
export function reactNative(modules: ReactNativeModules, options: ReactNativeOptions = {}): Platform {
  const { InAppBrowser, Keychain, Linking, AppState, randomBytes, fence } = modules
  const { ephemeral = false, name = "pkce" } = options
  const crypto = { randomBytes, sha256 }
  const app = nativeApp(Linking, AppState)
  // K5: readable after the first unlock, on this device only; no question to the user.
  const accessOf = (service: string) => ({
    service,
    accessible: Keychain.ACCESSIBLE.AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY,
    storage: Keychain.STORAGE_TYPE.AES_GCM_NO_AUTH,
  })

  /** The browser app tells nothing: the user is back when this app is in front again. */
  async function openBrowserApp(url: string) {
    const back = new Promise<void>((resolve) => {
      const subscription = app.wakes(() => {
        subscription.remove()
        resolve()
      })
    })
    await Linking.openURL(url)
    await back
    return { type: "dismiss" }
  }

  return {
    name: "react-native",
    crypto,
    browser: nativeBrowser({
      open: async (url, redirectUri) =>
        InAppBrowser && (await InAppBrowser.isAvailable())
          ? InAppBrowser.openAuth(url, redirectUri, { ephemeralWebSession: ephemeral, showInRecents: true })
          : openBrowserApp(url),
      close: () => InAppBrowser?.closeAuth(),
      visit: (url) => Linking.openURL(url),
    }),
    storage: keychainStorage(
      {
        getItem: (key) =>
          Keychain.getGenericPassword(accessOf(key)).then(
            (found) => (found ? found.password : null),
            undecryptable,
          ),
        async setItem(key, value) {
          // `false` is how it says that nothing was written.
          if ((await Keychain.setGenericPassword("pkce", value, accessOf(key))) === false)
            throw new Error("not stored")
        },
        removeItem: (key) => Keychain.resetGenericPassword(accessOf(key)),
      },
      name,
      crypto,
      fence,
    ),
    ...app,
  }
}
