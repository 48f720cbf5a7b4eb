import { homedir } from "node:os"
import { join } from "node:path"
import { webCrypto } from "../pkce/crypto.js"
import { openSystemBrowser } from "./cli-browser.js"
import { loopbackBrowser } from "./cli-loopback.js"
import { fileStorage } from "./cli-storage.js"
import type { Platform } from "./ports.js"

export interface CliOptions {
  /** Default: the system's browser. */
  openBrowser?: (url: string) => void | Promise<void>
  /** Default: `pkce` in the user's configuration folder. */
  directory?: string
  /** Keeps several programs, or accounts, apart. Default `session`. */
  name?: string
}

function configurationFolder(): string {
  if (process.platform === "win32") return process.env.APPDATA ?? join(homedir(), "AppData", "Roaming")
  if (process.platform === "darwin") return join(homedir(), "Library", "Application Support")
  return process.env.XDG_CONFIG_HOME || join(homedir(), ".config")
}

/**
 * Node as a platform, for command-line programs: the system's browser, a listener on 127.0.0.1 (RFC 8252 section 7.3), and
 * the session in a file that only its user can read.
 *
 * @example
 * ```ts
 * const auth = createPkceClient({
 *   server: "https://api.example.com/auth",
 *   redirectUri: "http://127.0.0.1/callback", // a free port is filled in
 *   platform: cli({ name: "example" }),
 * })
 * ```
 */
export function cli(options: CliOptions = {}): Platform {
  const { openBrowser = openSystemBrowser, name = "session" } = options
  return {
    name: "cli",
    crypto: webCrypto,
    browser: loopbackBrowser(openBrowser),
    storage: fileStorage(options.directory ?? join(configurationFolder(), "pkce"), name),
  }
}
