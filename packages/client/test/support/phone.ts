import { randomBytes } from "node:crypto"
import { createPkceClient, type PkceClient, type PkceClientOptions } from "../../src/client.js"
import { type CapacitorPlugins, capacitor } from "../../src/platforms/capacitor.js"
import { type ExpoModules, type ExpoOptions, expo } from "../../src/platforms/expo.js"
import type { Platform } from "../../src/platforms/ports.js"
import {
  type ReactNativeModules,
  type ReactNativeOptions,
  reactNative,
} from "../../src/platforms/react-native.js"
import type { PkceClientEvent } from "../../src/session/events.js"
import { fakeBackend, provider } from "../../src/testing/backend.js"
import { fakeClock } from "../../src/testing/clock.js"
import { honest, REDIRECT } from "../../src/testing/device.js"

/** What the user does with the browser that opened, as the module of the platform tells it. */
export type Behaviour = (url: string, redirectUri: string) => Promise<{ type: string; url?: string }>

const never = new Promise<never>(() => {})

/**
 * A phone: a keychain and a store of the app's that outlive processes, links that the system hands over, and an app that can be
 * killed and started again. Its native modules behave as the real ones are documented to.
 */
export function phone() {
  const clock = fakeClock()
  const backend = fakeBackend(clock)
  const keychain = new Map<string, string>()
  const appData = new Map<string, string>()
  const opened: string[] = []
  let listeners = new Set<(url: string) => void>()
  let states = new Set<(state: string) => void>()
  let finished = new Set<() => void>()
  let writes = 0
  let process = 0

  const state = {
    clock,
    backend,
    keychain,
    appData,
    opened,
    locked: false,
    /** Keys whose values another device has sealed, and what the keychain's module says when one is read. */
    foreign: new Set<string>(),
    foreignError: "",
    /** An app from before there was a fence has none. */
    hasFence: true,
    /** The link that the app was started with; it stays, as it does on both systems (P4). */
    initialUrl: null as string | null,
    /** The process dies at its n-th write to the keychain, before or after it. */
    dies: null as { at: number; after: boolean } | null,
    closed: 0,
    behaviour: (async (url) => ({ type: "success", url: honest(backend, url) })) as Behaviour,
    writes: () => writes,
  }

  /** Work of this process: what a process that was killed asked for never comes back to it. */
  async function native<T>(mine: number, work: () => T, isWrite = false): Promise<T> {
    await null
    if (mine !== process) return never
    if (state.locked) throw new Error("User interaction is not allowed. (-25308)")
    if (!isWrite) return work()
    writes++
    if (state.dies?.at === writes) {
      if (state.dies.after) work()
      kill()
      return never
    }
    return work()
  }

  /** Of every value a keychain wants to know: a name that it takes, and not too many bytes. */
  function put(key: string, value: string): void {
    if (!/^[\w.-]+$/.test(key)) throw new Error(`no such name: ${key}`)
    if (Buffer.byteLength(value) > 2048) throw new Error("too large")
    keychain.set(key, value)
  }

  function kill(): void {
    process++
    listeners = new Set()
    states = new Set()
    finished = new Set()
  }

  const subscribe = <T>(set: () => Set<T>, listener: T) => {
    const own = set()
    own.add(listener)
    return { remove: () => void own.delete(listener) }
  }

  function modules() {
    const mine = process
    const get = (key: string) =>
      native(mine, () => {
        if (state.foreign.has(key)) throw new Error(state.foreignError)
        return keychain.get(key) ?? null
      })
    const set = (key: string, value: string) => native(mine, () => put(key, value), true)
    const remove = (key: string) =>
      native(mine, () => void (keychain.delete(key) && state.foreign.delete(key)), true)
    const fence = {
      getItem: (key: string) => native(mine, () => appData.get(key) ?? null),
      setItem: (key: string, value: string) => native(mine, () => void appData.set(key, value)),
    }
    const Linking = {
      addEventListener: (_: "url", listener: (event: { url: string }) => void) =>
        subscribe(
          () => listeners,
          (url: string) => listener({ url }),
        ),
      getInitialURL: async () => state.initialUrl ?? undefined,
      openURL: async (url: string) => void opened.push(url),
    }
    const AppState = {
      addEventListener: (_: "change", listener: (state: string) => void) => subscribe(() => states, listener),
    }
    const browse: Behaviour = async (url, redirectUri) => {
      opened.push(url)
      const answer = await state.behaviour(url, redirectUri)
      return mine === process ? answer : never
    }
    return { get, set, remove, fence: state.hasFence ? fence : undefined, Linking, AppState, browse }
  }

  const platforms = {
    expo(more: Partial<ExpoModules> = {}, options: ExpoOptions = {}): Platform {
      const { get, set, remove, fence, Linking, AppState, browse } = modules()
      const WebBrowser: ExpoModules["WebBrowser"] = {
        openAuthSessionAsync: (url, redirectUri) => browse(url, redirectUri ?? ""),
        dismissAuthSession: () => void state.closed++,
        openBrowserAsync: async (url) => void opened.push(url),
      }
      const SecureStore: ExpoModules["SecureStore"] = {
        AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY: 7,
        getItemAsync: get,
        setItemAsync: set,
        deleteItemAsync: remove,
      }
      const Crypto: ExpoModules["Crypto"] = {
        getRandomBytes: (length) => new Uint8Array(randomBytes(length)),
        // SubtleCrypto takes its names and no others.
        digest: (algorithm, data) => crypto.subtle.digest(algorithm, data),
      }
      return expo(
        { WebBrowser, SecureStore, Crypto, Linking, AppState, ...(fence && { fence }), ...more },
        options,
      )
    },

    reactNative(more: Partial<ReactNativeModules> = {}, options: ReactNativeOptions = {}): Platform {
      const { get, set, remove, fence, Linking, AppState, browse } = modules()
      const Keychain: ReactNativeModules["Keychain"] = {
        ACCESSIBLE: { AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY: "afterFirstUnlock" },
        STORAGE_TYPE: { AES_GCM_NO_AUTH: "noAuth" },
        async getGenericPassword({ service }) {
          const password = await get(service)
          return password === null ? false : { password }
        },
        setGenericPassword: (_, password, { service }) => set(service, password),
        resetGenericPassword: ({ service }) => remove(service),
      }
      const InAppBrowser: ReactNativeModules["InAppBrowser"] = {
        isAvailable: async () => true,
        openAuth: browse,
        closeAuth: () => void state.closed++,
      }
      const random = (length: number) => new Uint8Array(randomBytes(length))
      return reactNative(
        { InAppBrowser, Keychain, Linking, AppState, ...(fence && { fence }), randomBytes: random, ...more },
        options,
      )
    },

    capacitor(): Platform {
      const { get, set, remove, fence, Linking, AppState, browse } = modules()
      const handle = ({ remove }: { remove(): void }) => ({ remove: async () => remove() })
      const App = {
        async addListener(event: string, listener: (event: { url: string }) => void) {
          if (event === "appUrlOpen") return handle(Linking.addEventListener("url", listener))
          return handle(AppState.addEventListener("change", () => listener({ url: "" })))
        },
        async getLaunchUrl() {
          const url = await Linking.getInitialURL()
          return url === undefined ? undefined : { url }
        },
      } as CapacitorPlugins["App"]
      const Browser: CapacitorPlugins["Browser"] = {
        async open({ url }) {
          // It shows the page and answers; whatever comes of it comes by a link, or as `browserFinished`.
          void browse(url, REDIRECT).then((answer) => {
            if (answer.url !== undefined) link(answer.url)
            for (const tell of finished) tell()
          })
        },
        close: async () => void state.closed++,
        addListener: async (_, listener) => handle(subscribe(() => finished, listener)),
      }
      const SecureStorage: CapacitorPlugins["SecureStorage"] = {
        setDefaultKeychainAccess: async () => undefined,
        getItem: get,
        setItem: set,
        removeItem: remove,
      }
      const Preferences: CapacitorPlugins["Preferences"] = fence && {
        get: async ({ key }) => ({ value: await fence.getItem(key) }),
        set: ({ key, value }) => fence.setItem(key, value),
      }
      return capacitor({ App, Browser, SecureStorage, ...(Preferences && { Preferences }) })
    },
  }

  /** The system hands a link to the app, if it runs. */
  function link(url: string): void {
    for (const listener of listeners) listener(url)
  }

  return {
    ...state,
    state,
    link,
    kill,
    toFront: () => states.forEach((tell) => void tell("active")),
    /** The app is removed: its own data goes, the keychain stays. */
    uninstall() {
      kill()
      appData.clear()
    },
    platforms,
    /** Starts the app: a new process on the same phone. */
    start(
      make: () => Platform,
      more: Partial<PkceClientOptions> = {},
    ): { app: PkceClient; events: PkceClientEvent[] } {
      kill()
      const events: PkceClientEvent[] = []
      const app = createPkceClient({
        server: "https://api.example.com/auth",
        redirectUri: REDIRECT,
        providers: [provider],
        platform: { ...make(), clock, http: backend.http },
        ...more,
      })
      app.subscribe((event) => events.push(event))
      return { app, events }
    },
    callbackFor: (url: string) => honest(backend, url),
  }
}

export type Phone = ReturnType<typeof phone>
