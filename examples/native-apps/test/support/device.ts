import { randomBytes } from "node:crypto"
import { EventEmitter } from "node:events"
import { logInHeadless } from "@pkce-examples/local-provider"

type Modules = Record<string, Record<string, unknown>>

/**
 * A device: its keychain and its files outlive the app, its browser logs in and comes back by the app's own scheme. The modules
 * have the names and the shapes of the real ones, which the type tests hold the adapters to.
 */
export function createDevice(user: string, folder: string) {
  const keychain = new Map<string, string>()
  const appData = new Map<string, string>()
  const visited: string[] = []
  let links = new Set<(event: { url: string }) => void>()

  /** The system's browser: what it ends at is handed to the app. */
  async function browse(url: string): Promise<string> {
    const page = await logInHeadless(url, { user })
    visited.push(page.url)
    return page.url
  }
  const open = async (url: string) => {
    const link = await browse(url)
    for (const listener of links) listener({ url: link })
  }

  const listen = (set: Set<(event: { url: string }) => void>, listener: (event: { url: string }) => void) => {
    set.add(listener)
    return { remove: () => void set.delete(listener) }
  }
  const text = (map: Map<string, string>) => ({
    getItem: async (key: string) => map.get(key) ?? null,
    setItem: async (key: string, value: string) => void map.set(key, value),
    removeItem: async (key: string) => void map.delete(key),
  })
  const secret = text(keychain)
  const random = (length: number) => new Uint8Array(randomBytes(length))

  const shared = (): Modules => ({
    "@react-native-async-storage/async-storage": { default: text(appData) },
    "react-native": {
      AppState: { addEventListener: () => ({ remove() {} }) },
      Linking: {
        addEventListener: (_: "url", listener: (event: { url: string }) => void) => listen(links, listener),
        getInitialURL: async () => null,
        openURL: open,
      },
      Platform: { OS: "ios" },
    },
  })

  const expo = (): Modules => ({
    ...shared(),
    "expo-crypto": { getRandomBytes: random },
    "expo-linking": shared()["react-native"]?.Linking as Record<string, unknown>,
    "expo-secure-store": {
      AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY: 1,
      getItemAsync: secret.getItem,
      setItemAsync: secret.setItem,
      deleteItemAsync: secret.removeItem,
    },
    "expo-web-browser": {
      openAuthSessionAsync: async (url: string) => ({ type: "success", url: await browse(url) }),
      dismissAuthSession() {},
      openBrowserAsync: browse,
    },
  })

  const reactNative = (): Modules => ({
    ...shared(),
    "react-native-get-random-values": {},
    "react-native-inappbrowser-reborn": {
      InAppBrowser: {
        isAvailable: async () => true,
        openAuth: async (url: string) => ({ type: "success", url: await browse(url) }),
        closeAuth() {},
      },
    },
    "react-native-keychain": {
      ACCESSIBLE: { AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY: "AccessibleAfterFirstUnlockThisDeviceOnly" },
      STORAGE_TYPE: { AES_GCM_NO_AUTH: "KeystoreAESGCM_NoAuth" },
      async getGenericPassword({ service }: { service: string }) {
        const password = keychain.get(service)
        return password === undefined ? false : { password }
      },
      setGenericPassword: (_: string, password: string, { service }: { service: string }) =>
        secret.setItem(service, password),
      resetGenericPassword: ({ service }: { service: string }) => secret.removeItem(service),
    },
  })

  const capacitor = (): Modules => ({
    "@aparajita/capacitor-secure-storage": {
      SecureStorage: { ...secret, setDefaultKeychainAccess: async () => {} },
    },
    "@capacitor/app": {
      App: {
        addListener: async (name: string, listener: (event: { url: string }) => void) =>
          name === "appUrlOpen" ? listen(links, listener) : { remove: async () => {} },
        getLaunchUrl: async () => undefined,
      },
    },
    "@capacitor/browser": {
      Browser: {
        open: async ({ url }: { url: string }) => void open(url),
        close: async () => {},
        addListener: async () => ({ remove: async () => {} }),
      },
    },
    "@capacitor/core": { Capacitor: { isNativePlatform: () => true, getPlatform: () => "android" } },
    "@capacitor/preferences": {
      Preferences: {
        get: async ({ key }: { key: string }) => ({ value: appData.get(key) ?? null }),
        set: async ({ key, value }: { key: string; value: string }) => void appData.set(key, value),
        remove: async ({ key }: { key: string }) => void appData.delete(key),
      },
    },
  })

  const electron = (): Modules => {
    const app = Object.assign(new EventEmitter(), { getPath: () => folder })
    const key = 0x5a
    const turn = (bytes: Buffer) => Buffer.from(bytes.map((byte) => byte ^ key))
    return {
      electron: {
        app,
        shell: {
          openExternal: async (url: string) => {
            // Windows and Linux: the link is an argument of a second copy, which hands it over.
            void browse(url).then((link) => app.emit("second-instance", {}, ["example", "--flag", link]))
          },
        },
        safeStorage: {
          isEncryptionAvailable: () => true,
          encryptString: (plain: string) => turn(Buffer.from(plain)),
          decryptString: (sealed: Buffer) => turn(sealed).toString(),
        },
      },
    }
  }

  return {
    modules: { expo, reactNative, capacitor, electron },
    /** What the app's own data holds, which anybody with the device's backup can read. */
    appData,
    visited,
    /** The app is ended; what is on the device stays. */
    kill() {
      links = new Set()
    },
  }
}
