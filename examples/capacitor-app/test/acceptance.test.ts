import { fileURLToPath } from "node:url"
import { appAcceptance } from "@pkce-examples/local-provider/app/acceptance"
import type { Device } from "@pkce-examples/local-provider/app/device"

const appOf = (device: Device) => ({
  addListener: async (name: string, listener: (event: { url: string }) => void) =>
    name === "appUrlOpen" ? device.onLink(listener) : { remove: async () => {} },
  getLaunchUrl: async () => undefined,
})

const browserOf = (device: Device) => ({
  open: async ({ url }: { url: string }) => void device.open(url),
  close: async () => {},
  addListener: async () => ({ remove: async () => {} }),
})

const preferencesOf = ({ settings }: Device) => ({
  get: async ({ key }: { key: string }) => ({ value: await settings.getItem(key) }),
  set: ({ key, value }: { key: string; value: string }) => settings.setItem(key, value),
  remove: ({ key }: { key: string }) => settings.removeItem(key),
})

appAcceptance("Capacitor", {
  folder: fileURLToPath(new URL("..", import.meta.url)),
  modules: (device) => ({
    "@aparajita/capacitor-secure-storage": {
      SecureStorage: { ...device.keychain, setDefaultKeychainAccess: async () => {} },
    },
    "@capacitor/app": { App: appOf(device) },
    "@capacitor/browser": { Browser: browserOf(device) },
    "@capacitor/core": { Capacitor: { isNativePlatform: () => true, getPlatform: () => "android" } },
    "@capacitor/preferences": { Preferences: preferencesOf(device) },
  }),
})
