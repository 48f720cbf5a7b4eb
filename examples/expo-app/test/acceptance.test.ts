import { fileURLToPath } from "node:url"
import { appAcceptance } from "@pkce-examples/local-provider/app/acceptance"
import { type Device, reactNativeOf } from "@pkce-examples/local-provider/app/device"
import * as React from "react"

function expoOf(device: Device) {
  const common = reactNativeOf(device)
  return {
    ...common,
    react: React,
    "expo-crypto": {
      getRandomBytes: device.random,
      digest: (algorithm: string, data: Uint8Array<ArrayBuffer>) => crypto.subtle.digest(algorithm, data),
    },
    "expo-linking": common["react-native"].Linking,
    "expo-secure-store": {
      AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY: 1,
      getItemAsync: device.keychain.getItem,
      setItemAsync: device.keychain.setItem,
      deleteItemAsync: device.keychain.removeItem,
    },
    "expo-web-browser": {
      openAuthSessionAsync: async (url: string) => ({ type: "success", url: await device.browse(url) }),
      dismissAuthSession() {},
      openBrowserAsync: device.browse,
    },
  }
}

appAcceptance("Expo", { folder: fileURLToPath(new URL("..", import.meta.url)), modules: expoOf })
