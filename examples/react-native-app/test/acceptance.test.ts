import { fileURLToPath } from "node:url"
import { appAcceptance } from "@pkce-examples/local-provider/app/acceptance"
import { type Device, reactNativeOf } from "@pkce-examples/local-provider/app/device"
import * as React from "react"

const inAppBrowserOf = (device: Device) => ({
  isAvailable: async () => true,
  openAuth: async (url: string) => ({ type: "success", url: await device.browse(url) }),
  closeAuth() {},
})

const keychainOf = ({ keychain }: Device) => ({
  ACCESSIBLE: { AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY: "AccessibleAfterFirstUnlockThisDeviceOnly" },
  STORAGE_TYPE: { AES_GCM_NO_AUTH: "KeystoreAESGCM_NoAuth" },
  async getGenericPassword({ service }: { service: string }) {
    const password = await keychain.getItem(service)
    return password === null ? false : { password }
  },
  setGenericPassword: (_: string, password: string, { service }: { service: string }) =>
    keychain.setItem(service, password),
  resetGenericPassword: ({ service }: { service: string }) => keychain.removeItem(service),
})

appAcceptance("React Native", {
  folder: fileURLToPath(new URL("..", import.meta.url)),
  modules: (device) => ({
    ...reactNativeOf(device),
    react: React,
    "react-native-get-random-values": {},
    "react-native-inappbrowser-reborn": { InAppBrowser: inAppBrowserOf(device) },
    "react-native-keychain": keychainOf(device),
  }),
})
