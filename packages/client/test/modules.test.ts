import { describe, expect, it, vi } from "vitest"
import { type CapacitorPlugins, capacitor } from "../src/platforms/capacitor.js"
import type { ExpoModules } from "../src/platforms/expo.js"
import type { Platform } from "../src/platforms/ports.js"
import type { ReactNativeModules } from "../src/platforms/react-native.js"
import { fakeClock } from "../src/testing/clock.js"
import { REDIRECT } from "../src/testing/device.js"
import { phone } from "./support/phone.js"

const URL = "https://id.example.com/authorize"

/** Everything that a storage does: it reads, writes, and clears what it wrote. */
async function exercise({ storage }: Platform): Promise<void> {
  for (const text of ["a", "b", "c", null]) await storage.update(() => text)
}
const open = async ({ browser }: Platform) =>
  (await browser.start(REDIRECT, fakeClock())).open(URL, () => true)

function secureStore() {
  const values = new Map<string, string>()
  return {
    AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY: 7,
    getItemAsync: vi.fn(async (key: string) => values.get(key) ?? null),
    setItemAsync: vi.fn(async (key: string, value: string) => void values.set(key, value)),
    deleteItemAsync: vi.fn(async (key: string) => void values.delete(key)),
  }
}

describe("expo", () => {
  const { expo } = phone().platforms

  it("K5 every call of the keychain names the same access", async () => {
    const SecureStore = secureStore()
    await exercise(expo({ SecureStore }))
    for (const call of [SecureStore.getItemAsync, SecureStore.setItemAsync, SecureStore.deleteItemAsync]) {
      expect(call).toHaveBeenCalled()
      for (const args of call.mock.calls) {
        expect(args.at(-1)).toEqual({ keychainAccessible: 7 })
        expect(args[0]).toMatch(/^pkce\./)
      }
    }
  })

  it.each([
    [{}, false],
    [{ ephemeral: true }, true],
  ])(
    "with %o opens a session for the redirect URI, ephemeral: %s",
    async (options, preferEphemeralSession) => {
      const openAuthSessionAsync = vi.fn(async () => ({ type: "cancel" }))
      const WebBrowser = { openAuthSessionAsync } as Partial<
        ExpoModules["WebBrowser"]
      > as ExpoModules["WebBrowser"]
      const platform = expo({ WebBrowser }, options)
      await open(platform)
      expect(openAuthSessionAsync).toHaveBeenCalledWith(URL, REDIRECT, { preferEphemeralSession })
      expect(platform.name).toBe("expo")
    },
  )
})

describe("react-native", () => {
  const device = phone()
  const { reactNative } = device.platforms

  function keychain(stored: unknown = {}) {
    const values = new Map<string, string>()
    return {
      ACCESSIBLE: { AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY: "afterFirstUnlock" },
      STORAGE_TYPE: { AES_GCM_NO_AUTH: "noAuth" },
      getGenericPassword: vi.fn(async ({ service }) => {
        const password = values.get(service)
        return password === undefined ? (false as const) : { password }
      }),
      setGenericPassword: vi.fn(async (_: string, password: string, { service }) => {
        values.set(service, password)
        return stored
      }),
      resetGenericPassword: vi.fn(async ({ service }) => values.delete(service)),
    }
  }

  it("K5 every call of the keychain names the same access", async () => {
    const Keychain = keychain()
    await exercise(reactNative({ Keychain }))
    const { getGenericPassword, setGenericPassword, resetGenericPassword } = Keychain
    for (const call of [getGenericPassword, setGenericPassword, resetGenericPassword]) {
      expect(call).toHaveBeenCalled()
      for (const args of call.mock.calls)
        expect(args.at(-1)).toEqual({
          service: expect.stringMatching(/^pkce\./),
          accessible: "afterFirstUnlock",
          storage: "noAuth",
        })
    }
  })

  it("a keychain that says that nothing was written is one that failed", async () => {
    const { storage } = reactNative({ Keychain: keychain(false) })
    await expect(storage.update(() => "a")).rejects.toThrow("not stored")
  })

  it.each([
    [{}, false],
    [{ ephemeral: true }, true],
  ])("with %o opens a session for the redirect URI, ephemeral: %s", async (options, ephemeralWebSession) => {
    const openAuth = vi.fn(async () => ({ type: "cancel" }))
    const InAppBrowser = { isAvailable: async () => true, openAuth, closeAuth() {} }
    await open(reactNative({ InAppBrowser }, options))
    expect(openAuth).toHaveBeenCalledWith(URL, REDIRECT, { ephemeralWebSession, showInRecents: true })
  })

  it("P1 without a session of its own waits until the app is in front again, and then for the link", async () => {
    let toFront = (_: string) => {}
    const remove = vi.fn()
    const AppState: ReactNativeModules["AppState"] = {
      addEventListener(_, listener) {
        toFront = listener
        return { remove }
      },
    }
    const openAuth = async () => expect.fail()
    const InAppBrowser = { isAvailable: async () => false, openAuth, closeAuth() {} }
    const { browser } = reactNative({ InAppBrowser, AppState })
    const clock = fakeClock()
    const start = clock.monotonic()
    const ended = vi.fn()
    const opened = (await browser.start(REDIRECT, clock)).open(URL, () => true).finally(ended)
    await expect.poll(() => device.opened).toContain(URL)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(ended).not.toHaveBeenCalled()
    toFront("active")
    expect(await opened).toEqual({ type: "cancelled" })
    expect(clock.monotonic() - start).toBe(1500)
    expect(remove).toHaveBeenCalledOnce()
  })

  it("fails where there is no browser app either", async () => {
    const Linking: ReactNativeModules["Linking"] = {
      addEventListener: () => ({ remove() {} }),
      getInitialURL: async () => null,
      openURL: () => Promise.reject(new Error("no app for it")),
    }
    const InAppBrowser = { isAvailable: async () => false } as NonNullable<ReactNativeModules["InAppBrowser"]>
    await expect(open(reactNative({ Linking, InAppBrowser }))).rejects.toThrow("no app for it")
  })
})

describe("capacitor", () => {
  /** Plugins that write down what is asked of them. */
  function plugins(more: Partial<CapacitorPlugins> = {}) {
    const asked: string[] = []
    const values = new Map<string, string>()
    let finish = () => {}
    const removed = vi.fn(async () => {})
    const all: CapacitorPlugins = {
      App: {
        addListener: () => Promise.reject(new Error("not implemented")),
        getLaunchUrl: () => Promise.reject(new Error("not implemented")),
      },
      Browser: {
        open: async ({ url }) => void asked.push(`open ${url}`),
        close: async () => {},
        async addListener(_, listener) {
          finish = listener
          return { remove: removed }
        },
      },
      SecureStorage: {
        setDefaultKeychainAccess: async (access) => void asked.push(`access ${access}`),
        getItem: async (key) => values.get(key) ?? null,
        async setItem(key, value) {
          asked.push(`set ${key}`)
          values.set(key, value)
        },
        removeItem: async (key) => void values.delete(key),
      },
      ...more,
    }
    return { all, asked, removed, finish: () => finish() }
  }

  it("K5 every write names its access before", async () => {
    const { all, asked } = plugins()
    await exercise(capacitor(all))
    expect(asked).toEqual(["a", "b", "a"].flatMap((slot) => ["access 3", `set pkce.${slot}.0`]))
  })

  it("writes nothing where the access cannot be named", async () => {
    const { all, asked } = plugins()
    all.SecureStorage.setDefaultKeychainAccess = () => Promise.reject(new Error("not implemented"))
    await expect(capacitor(all).storage.update(() => "a")).rejects.toThrow("not implemented")
    expect(asked).toEqual([])
  })

  it("says so where the storage cannot forget", async () => {
    const { all } = plugins()
    all.SecureStorage.removeItem = () => Promise.reject(new Error("not implemented"))
    const { storage } = capacitor(all)
    await storage.update(() => "a")
    await expect(storage.update(() => null)).rejects.toThrow("not implemented")
  })

  it.each([async () => {}, () => Promise.reject(new Error("gone"))])(
    "listens for the end of the browser only while it is open",
    async (remove) => {
      const { all, asked, removed, finish } = plugins()
      removed.mockImplementation(remove)
      const opened = open(capacitor(all))
      await expect.poll(() => asked).toEqual([`open ${URL}`])
      expect(removed).not.toHaveBeenCalled()
      finish()
      expect(await opened).toEqual({ type: "cancelled" })
      expect(removed).toHaveBeenCalledOnce()
    },
  )

  it("fails where the browser cannot be opened, and listens no longer", async () => {
    const { all, removed } = plugins()
    all.Browser.open = () => Promise.reject(new Error("no browser"))
    await expect(open(capacitor(all))).rejects.toThrow("no browser")
    expect(removed).toHaveBeenCalledOnce()
  })

  it("starts although the plugin of the app is not there", async () => {
    const { callbackUrl, links, wakes } = capacitor(plugins().all)
    expect(await callbackUrl?.()).toBeUndefined()
    await links?.(() => {})
    await wakes?.(() => {})
  })
})

it.each(["expo", "reactNative", "capacitor"] as const)(
  "%s shows the provider's logout page",
  async (kind) => {
    const device = phone()
    await device.platforms[kind]().browser.visit?.(URL)
    expect(device.opened).toEqual([URL])
  },
)
