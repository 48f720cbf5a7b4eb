import { randomBytes } from "node:crypto"
import { logInHeadless } from "../headless.js"

/** Native modules by the names that an app imports, and what each exports. */
export type Modules = Record<string, Record<string, unknown>>

type LinkListener = (event: { url: string }) => void

const text = (map: Map<string, string>) => ({
  getItem: async (key: string) => map.get(key) ?? null,
  setItem: async (key: string, value: string) => void map.set(key, value),
  removeItem: async (key: string) => void map.delete(key),
})

/**
 * A device: its keychain and its files outlive the app, its browser logs in and comes back by the app's own scheme. An app's
 * tests make native modules of it, with the names and the shapes of the real ones, which the type tests hold the adapters to.
 */
export function createDevice(user: string, folder: string) {
  const settings = new Map<string, string>()
  const visited: string[] = []
  let links = new Set<LinkListener>()

  /** The system's browser: what it ends at is handed to the app. */
  async function browse(url: string): Promise<string> {
    const page = await logInHeadless(url, { user })
    visited.push(page.url)
    return page.url
  }

  return {
    /** Where the app may keep files. */
    folder,
    keychain: text(new Map()),
    /** Plain text, which anybody with the device's backup can read. */
    settings: text(settings),
    settingsAsRead: () => JSON.stringify([...settings]),
    random: (length: number) => new Uint8Array(randomBytes(length)),
    browse,
    /** The browser as another app: the link comes back by the system. */
    async open(url: string) {
      const link = await browse(url)
      for (const listener of links) listener({ url: link })
    },
    onLink(listener: LinkListener) {
      const heard = links
      heard.add(listener)
      return { remove: () => void heard.delete(listener) }
    },
    visited,
    /** The app is ended; what is on the device stays. */
    kill() {
      links = new Set()
    },
  }
}

export type Device = ReturnType<typeof createDevice>

/** What Expo and React Native without it have in common. */
export const reactNativeOf = (device: Device) => ({
  "@react-native-async-storage/async-storage": { default: device.settings },
  "react-native": {
    AppState: { addEventListener: () => ({ remove() {} }) },
    Linking: {
      addEventListener: (_: "url", listener: LinkListener) => device.onLink(listener),
      getInitialURL: async () => null,
      openURL: device.open,
    },
    Platform: { OS: "ios" },
  },
})
