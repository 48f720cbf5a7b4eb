import { type AppStateLike, type LinkingLike, nativeApp, nativeBrowser } from "./native.js"
import type { CryptoPort, Platform } from "./ports.js"
import { type FenceLike, keychainStorage } from "./slots.js"

interface StoreOptions {
  keychainAccessible?: number
}

/** The modules that {@link expo} is made of, as `import * as` gives them. */
export interface ExpoModules {
  /** `expo-web-browser` */
  WebBrowser: {
    openAuthSessionAsync(
      url: string,
      redirectUrl?: string | null,
      options?: { preferEphemeralSession?: boolean },
    ): Promise<{ type: string; url?: string }>
    dismissAuthSession(): void
    openBrowserAsync(url: string): Promise<unknown>
  }
  /** `expo-secure-store` */
  SecureStore: {
    AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY: number
    getItemAsync(key: string, options?: StoreOptions): Promise<string | null>
    setItemAsync(key: string, value: string, options?: StoreOptions): Promise<void>
    deleteItemAsync(key: string, options?: StoreOptions): Promise<void>
  }
  /** `expo-crypto` */
  Crypto: {
    getRandomBytes(length: number): Uint8Array
    /** `algorithm`: its `CryptoDigestAlgorithm.SHA256`, which is `"SHA-256"`. */
    digest(algorithm: string, data: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer>
  }
  /** `expo-linking`, or `Linking` of React Native */
  Linking: LinkingLike
  /** `AppState` of React Native */
  AppState: AppStateLike
  /**
   * Such as AsyncStorage: with it the app notices that it was installed anew over a keychain that outlived it, or that a backup
   * brought what this device cannot open. Without it, iOS signs a new owner in with the old session.
   */
  fence?: FenceLike
}

export interface ExpoOptions {
  /** No cookies of the system's browser: no "wants to use … to sign in" on iOS, and no single sign-on. Default false. */
  ephemeral?: boolean
  /** Keeps several clients in one app apart; letters, digits, `.`, `_` and `-`. Default `pkce`. */
  name?: string
}

/**
 * Expo: the system's authentication session, the keychain (readable after the first unlock, on this device only), deep links.
 *
 * @example
 * ```ts
 * import * as Crypto from "expo-crypto"
 * import * as Linking from "expo-linking"
 * import * as SecureStore from "expo-secure-store"
 * import * as WebBrowser from "expo-web-browser"
 * import { AppState } from "react-native"
 *
 * export const auth = createPkceClient({
 *   server: "https://api.example.com/auth",
 *   redirectUri: "com.example.app://auth/callback",
 *   platform: expo({ WebBrowser, SecureStore, Crypto, Linking, AppState }),
 * })
 * ```
 */
export function expo(modules: ExpoModules, options: ExpoOptions = {}): Platform {
  const { WebBrowser, SecureStore, Crypto, Linking, AppState, fence } = modules
  const { ephemeral = false, name = "pkce" } = options
  // K5: the same on every call: Android finds a value only with the options that it was written with.
  const access = { keychainAccessible: SecureStore.AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY }
  const crypto: CryptoPort = {
    randomBytes: Crypto.getRandomBytes,
    sha256: async (data) => new Uint8Array(await Crypto.digest("SHA-256", data as Uint8Array<ArrayBuffer>)),
  }
  return {
    name: "expo",
    crypto,
    browser: nativeBrowser({
      // iOS knows that the user has cancelled. Android knows only that the app is back in front (P1).
      open: (url, redirectUri) =>
        WebBrowser.openAuthSessionAsync(url, redirectUri, { preferEphemeralSession: ephemeral }),
      close: () => WebBrowser.dismissAuthSession(),
      visit: (url) => WebBrowser.openBrowserAsync(url),
    }),
    storage: keychainStorage(
      {
        getItem: (key) => SecureStore.getItemAsync(key, access),
        setItem: (key, value) => SecureStore.setItemAsync(key, value, access),
        removeItem: (key) => SecureStore.deleteItemAsync(key, access),
      },
      name,
      crypto,
      fence,
    ),
    ...nativeApp(Linking, AppState),
  }
}
