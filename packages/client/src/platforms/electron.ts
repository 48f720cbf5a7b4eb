import { join } from "node:path"
import { PkceError } from "../errors.js"
import { webCrypto } from "../pkce/crypto.js"
import { fileStorage } from "./cli-storage.js"
import { nativeBrowser } from "./native.js"
import type { LossReason, Platform, StoragePort } from "./ports.js"

/** The modules of Electron's main process that {@link electron} is made of. */
export interface ElectronModules {
  app: {
    getPath(name: "userData"): string
    // biome-ignore lint/suspicious/noExplicitAny: Electron has an overload for each of its events
    on(event: any, listener: (...args: any[]) => void): unknown
  }
  shell: { openExternal(url: string): Promise<void> }
  safeStorage: {
    isEncryptionAvailable(): boolean
    encryptString(text: string): Buffer
    decryptString(encrypted: Buffer): string
    /** Linux: `basic_text` means that there is no keyring, and a key that everybody knows. */
    getSelectedStorageBackend?(): string
  }
}

export interface ElectronOptions {
  /** Default: `pkce` in the app's `userData` folder. */
  directory?: string
  /** Keeps several accounts apart. Default `session`. */
  name?: string
  /** Admits a Linux without a keyring: the session is then in a file that only its user can read. Default false. */
  allowWeakStorage?: boolean
}

const isUrl = (argument: unknown): argument is string =>
  typeof argument === "string" && /^[a-z][a-z0-9+.-]*:\/\//i.test(argument)

/**
 * Electron's main process: the system's browser, the session encrypted with the system's key, deep links. Call
 * `app.setAsDefaultProtocolClient` and `app.requestSingleInstanceLock` yourself, before the app is ready.
 *
 * @example
 * ```ts
 * import { app, safeStorage, shell } from "electron"
 *
 * if (!app.requestSingleInstanceLock()) app.quit()
 * app.setAsDefaultProtocolClient("com.example.app")
 * export const auth = createPkceClient({
 *   server: "https://api.example.com/auth",
 *   redirectUri: "com.example.app://auth/callback",
 *   platform: electron({ app, shell, safeStorage }),
 * })
 * ```
 */
export function electron(modules: ElectronModules, options: ElectronOptions = {}): Platform {
  const { app, shell, safeStorage } = modules
  const { name = "session", allowWeakStorage = false } = options
  const listeners = new Set<(url: string) => void>()
  // P20: macOS may hand over the link before the app is ready, and before anybody listens.
  const early: string[] = []

  function arrived(url: string): void {
    if (listeners.size === 0) early.push(url)
    for (const listener of listeners) listener(url)
  }
  app.on("open-url", (event: { preventDefault(): void }, url: string) => {
    event.preventDefault()
    arrived(url)
  })
  app.on("second-instance", (_event: unknown, argv: string[]) => {
    const url = argv.find(isUrl)
    if (url !== undefined) arrived(url)
  })

  return {
    name: "electron",
    crypto: webCrypto,
    browser: nativeBrowser({
      async open(url) {
        await shell.openExternal(url)
        // Nothing tells when the user has given up: the run ends with the link, by `signal`, or with the time limit.
        return new Promise(() => {})
      },
      close() {},
      visit: (url) => shell.openExternal(url),
    }),
    storage: encrypted(
      () => fileStorage(options.directory ?? join(app.getPath("userData"), "pkce"), name),
      safeStorage,
      allowWeakStorage,
    ),
    links(listener) {
      listeners.add(listener)
      for (const url of early.splice(0)) listener(url)
    },
    // Windows and Linux start the app with the link as an argument.
    callbackUrl: () => process.argv.find(isUrl),
    wakes: (listener) => app.on("browser-window-focus", listener),
  }
}

/** The file holds `{"sealed":"<base64>"}`: JSON, as the record is, so that nothing else has to know of it. */
function encrypted(
  open: () => StoragePort,
  safeStorage: ElectronModules["safeStorage"],
  allowWeakStorage: boolean,
): StoragePort {
  let storage: StoragePort | undefined
  function ready(): StoragePort {
    // Known once the app is ready, not before.
    const isWeak = safeStorage.getSelectedStorageBackend?.() === "basic_text"
    if (!safeStorage.isEncryptionAvailable() || (isWeak && !allowWeakStorage))
      throw new PkceError("storage_unavailable", "storage")
    storage ??= open()
    return storage
  }
  let tell = (_: LossReason) => {}

  /**
   * `undefined`: gone for good (P11). Windows makes the app a new key where it cannot open the former one. On Linux and macOS
   * Electron throws the same where the key is another one for the time being, as that of another desktop's keyring or of another
   * name of the app: what the next start may be able to open is not given up.
   */
  function unseal(text: string | null): string | null | undefined {
    try {
      if (text === null) return null
      const record = safeStorage.decryptString(Buffer.from(String(JSON.parse(text).sealed), "base64"))
      // There the cipher is CBC without a MAC: one wrong key of 256 opens it, and finds no JSON.
      JSON.parse(record)
      return record
    } catch (error) {
      if (process.platform === "win32") return undefined
      throw error
    }
  }

  const update: StoragePort["update"] = async (change) => {
    let lost = false
    await ready().update((current) => {
      const text = unseal(current)
      lost = text === undefined
      const next = change(text ?? null)
      if (typeof next !== "string") return lost ? null : next
      return JSON.stringify({ sealed: safeStorage.encryptString(next).toString("base64") })
    })
    if (lost) tell("unreadable")
  }

  return {
    async read() {
      let text = unseal(await ready().read())
      if (text === undefined)
        await update((current) => {
          text = current
          return undefined
        })
      return text ?? null
    },
    update,
    onLost(listener) {
      tell = listener
    },
  }
}
