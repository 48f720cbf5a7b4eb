import type { PkceClientOptions } from "@pkce/client"
import { expo } from "@pkce/client/expo"
import AsyncStorage from "@react-native-async-storage/async-storage"
import * as Crypto from "expo-crypto"
import * as Linking from "expo-linking"
import * as SecureStore from "expo-secure-store"
import * as WebBrowser from "expo-web-browser"
import { AppState, Platform } from "react-native"

/** iOS and Android. On the web the bundler takes `platform.web.ts`, since expo-secure-store has nothing there. */
export const options: PkceClientOptions = {
  server: process.env.EXPO_PUBLIC_SERVER ?? "https://api.example.com/auth",
  redirectUri: "com.example.app://auth/callback",
  platform: expo({ WebBrowser, SecureStore, Crypto, Linking, AppState, fence: AsyncStorage }),
  device: { name: Platform.OS === "ios" ? "iPhone" : "Android phone", platform: Platform.OS },
}
