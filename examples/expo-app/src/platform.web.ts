import type { PkceClientOptions } from "@pkce/client"
import { web } from "@pkce/client/web"

/** The browser, with the backend on the page's own origin unless told otherwise. */
export const options: PkceClientOptions = {
  server: process.env.EXPO_PUBLIC_SERVER ?? "/auth",
  redirectUri: `${location.origin}/callback`,
  platform: web(),
  device: { name: "Browser", platform: "web" },
}
