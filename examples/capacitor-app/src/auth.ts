import { SecureStorage } from "@aparajita/capacitor-secure-storage"
import { App } from "@capacitor/app"
import { Browser } from "@capacitor/browser"
import { Capacitor } from "@capacitor/core"
import { Preferences } from "@capacitor/preferences"
import { createPkceClient } from "@pkce/client"
import { capacitor } from "@pkce/client/capacitor"
import { web } from "@pkce/client/web"

// The storage plugin would keep the session in localStorage on the web: there it is the browser's own platform.
const isNative = Capacitor.isNativePlatform()

export const auth = createPkceClient({
  server: isNative ? "https://api.example.com/auth" : "/auth",
  redirectUri: isNative ? "com.example.app://auth/callback" : `${location.origin}/callback`,
  platform: isNative ? capacitor({ App, Browser, SecureStorage, Preferences }) : web(),
  device: { name: isNative ? "Phone" : "Browser", platform: Capacitor.getPlatform() },
})
