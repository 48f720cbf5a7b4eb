import { expo } from "@pkce/client/expo"
import AsyncStorage from "@react-native-async-storage/async-storage"
import * as Crypto from "expo-crypto"
import * as ExpoLinking from "expo-linking"
import * as SecureStore from "expo-secure-store"
import * as WebBrowser from "expo-web-browser"
import { AppState, Linking } from "react-native"

// A module whose types were not found would be `any`, and everything would be accepted.
// @ts-expect-error
AsyncStorage.isNotThere
// @ts-expect-error
Crypto.isNotThere
// @ts-expect-error
ExpoLinking.isNotThere
// @ts-expect-error
SecureStore.isNotThere
// @ts-expect-error
WebBrowser.isNotThere
// @ts-expect-error
AppState.isNotThere
// @ts-expect-error
Linking.isNotThere

const modules = { WebBrowser, SecureStore, Crypto, Linking: ExpoLinking, AppState }

expo(modules)
expo({ ...modules, Linking })
expo({ ...modules, fence: AsyncStorage }, { ephemeral: true, name: "work" })

// @ts-expect-error: plain text is no keychain
expo({ ...modules, SecureStore: AsyncStorage })
// @ts-expect-error: nor is a store that nothing removes with the app a fence
expo({ ...modules, fence: SecureStore })
// The algorithm that the platform names, without importing the module.
export const algorithm: `${Crypto.CryptoDigestAlgorithm.SHA256}` = "SHA-256"

// @ts-expect-error: a number is no bytes
expo({ ...modules, Crypto: { ...Crypto, getRandomBytes: Math.random } })
// @ts-expect-error: a text is no digest
expo({ ...modules, Crypto: { ...Crypto, digest: Crypto.digestStringAsync } })
// @ts-expect-error: another module
expo({ ...modules, WebBrowser: Linking })
// @ts-expect-error: another module
expo({ ...modules, AppState: Linking })
// @ts-expect-error: without links no callback comes back
expo({ WebBrowser, SecureStore, Crypto, AppState })
// @ts-expect-error: no such option
expo(modules, { preferEphemeralSession: true })
