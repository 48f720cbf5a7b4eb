import { createPkceClient } from "@pkce/client"
import { electron } from "@pkce/client/electron"
import { app, safeStorage, shell } from "electron"

/** Made before the app is ready: macOS hands over the link of a cold start that early. */
export const auth = createPkceClient({
  server: process.env.SERVER ?? "https://api.example.com/auth",
  redirectUri: "com.example.app://auth/callback",
  platform: electron({ app, shell, safeStorage }),
  device: { name: "Desktop", platform: process.platform },
})
