import { type KeychainAccess, SecureStorage } from "@aparajita/capacitor-secure-storage"
import { App } from "@capacitor/app"
import { Browser } from "@capacitor/browser"
import { Preferences } from "@capacitor/preferences"
import { capacitor } from "@pkce/client/capacitor"

// A module whose types were not found would be `any`, and everything would be accepted.
// @ts-expect-error
App.isNotThere
// @ts-expect-error
Browser.isNotThere
// @ts-expect-error
Preferences.isNotThere
// @ts-expect-error
SecureStorage.isNotThere

// K5: the number that the platform passes, without importing the plugin.
export const access: KeychainAccess.afterFirstUnlockThisDeviceOnly = 3

const plugins = { App, Browser, SecureStorage }

capacitor(plugins)
capacitor({ ...plugins, Preferences }, { name: "work" })

// @ts-expect-error: plain text is no keychain
capacitor({ ...plugins, SecureStorage: Preferences })
// @ts-expect-error: a keychain outlives the app, and is no fence
capacitor({ ...plugins, Preferences: SecureStorage })
// @ts-expect-error: another plugin
capacitor({ ...plugins, Browser: App })
// @ts-expect-error: without links no callback comes back
capacitor({ Browser, SecureStorage })
// @ts-expect-error: no such option
capacitor(plugins, { ephemeral: true })
