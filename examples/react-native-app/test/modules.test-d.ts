import { reactNative } from "@pkce/client/react-native"
import AsyncStorage from "@react-native-async-storage/async-storage"
import { AppState, Linking } from "react-native"
import { InAppBrowser } from "react-native-inappbrowser-reborn"
import * as Keychain from "react-native-keychain"

// A module whose types were not found would be `any`, and everything would be accepted.
// @ts-expect-error
AsyncStorage.isNotThere
// @ts-expect-error
AppState.isNotThere
// @ts-expect-error
Linking.isNotThere
// @ts-expect-error
InAppBrowser.isNotThere
// @ts-expect-error
Keychain.isNotThere

const randomBytes = (length: number) => new Uint8Array(length)
const modules = { InAppBrowser, Keychain, Linking, AppState, randomBytes }

reactNative(modules)
reactNative({ ...modules, fence: AsyncStorage }, { ephemeral: true, name: "work" })
reactNative({ Keychain, Linking, AppState, randomBytes })

// @ts-expect-error: plain text is no keychain
reactNative({ ...modules, Keychain: AsyncStorage })
// @ts-expect-error: a keychain outlives the app, and is no fence
reactNative({ ...modules, fence: Keychain })
// @ts-expect-error: a number is no bytes
reactNative({ ...modules, randomBytes: Math.random })
// @ts-expect-error: nobody else has randomness
reactNative({ Keychain, Linking, AppState })
// @ts-expect-error: another module
reactNative({ ...modules, InAppBrowser: Linking })
// @ts-expect-error: no such option
reactNative(modules, { ephemeralWebSession: true })
