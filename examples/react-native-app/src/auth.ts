import "react-native-get-random-values"
import { createPkceClient } from "@pkce/client"
import { createPkceReact } from "@pkce/client/react"
import { reactNative } from "@pkce/client/react-native"
import AsyncStorage from "@react-native-async-storage/async-storage"
import * as React from "react"
import { AppState, Linking, Platform } from "react-native"
import { InAppBrowser } from "react-native-inappbrowser-reborn"
import * as Keychain from "react-native-keychain"

// What react-native-get-random-values brings; React Native's own types do not know it.
declare const crypto: { getRandomValues(array: Uint8Array): Uint8Array }

const randomBytes = (length: number) => crypto.getRandomValues(new Uint8Array(length))

export const auth = createPkceClient({
  server: "https://api.example.com/auth",
  redirectUri: "com.example.app://auth/callback",
  platform: reactNative({ InAppBrowser, Keychain, Linking, AppState, randomBytes, fence: AsyncStorage }),
  device: { name: Platform.OS === "ios" ? "iPhone" : "Android phone", platform: Platform.OS },
})
export const { PkceProvider, useLogin, useSession } = createPkceReact(React)
