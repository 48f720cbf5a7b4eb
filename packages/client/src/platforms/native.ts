import { toBase64url } from "@pkce/protocol"
import { PkceError } from "../errors.js"
import type { BrowserOutcome, BrowserPort, CryptoPort, StoragePort } from "./ports.js"
import { type KeyValue, slotStorage } from "./slots.js"

/** Something that was subscribed to, as React Native's modules hand it out. */
export interface Subscription {
  remove(): void
}

/** `Linking` of React Native and of Expo. */
export interface LinkingLike {
  addEventListener(type: "url", listener: (event: { url: string }) => void): Subscription
  getInitialURL(): Promise<string | null | undefined>
  openURL(url: string): Promise<unknown>
}

/** `AppState` of React Native. */
export interface AppStateLike {
  addEventListener(type: "change", listener: (state: string) => void): Subscription
}

/** A store that is uninstalled with the app, such as AsyncStorage. It gets a random number, and no secret. */
export interface FenceLike {
  getItem(key: string): Promise<string | null>
  setItem(key: string, value: string): Promise<unknown>
  removeItem(key: string): Promise<unknown>
}

/**
 * Milliseconds between a browser that is reported as gone and the callback that may still be on its way: Android tells the
 * app that it is in front before it hands over the link.
 */
const GRACE = 1500

/** A1: a module that throws, or gives less than was asked for, is none. */
export function nativeCrypto(
  random: (length: number) => Uint8Array,
  digest: (data: Uint8Array<ArrayBuffer>) => Uint8Array | Promise<ArrayBuffer>,
): CryptoPort {
  const unavailable = () => new PkceError("crypto_unavailable", "start")
  return {
    randomBytes(length) {
      try {
        const bytes = random(length)
        if (bytes.length === length) return bytes
      } catch {}
      throw unavailable()
    },
    async sha256(data) {
      try {
        const bytes = new Uint8Array(await digest(data as Uint8Array<ArrayBuffer>))
        if (bytes.length === 32) return bytes
      } catch {}
      throw unavailable()
    },
  }
}

export const nativeLinks = (linking: LinkingLike) => ({
  links(listener: (url: string) => void) {
    const subscription = linking.addEventListener("url", ({ url }) => listener(url))
    return () => subscription.remove()
  },
  // A start without a link, or a module that cannot tell: neither is a reason not to start.
  callbackUrl: () =>
    linking.getInitialURL().then(
      (url) => url ?? null,
      () => null,
    ),
})

export const appWakes = (appState: AppStateLike) => (listener: () => void) => {
  const subscription = appState.addEventListener("change", (state) => {
    if (state === "active") listener()
  })
  return () => subscription.remove()
}

export const fenceStore = (fence: FenceLike) => ({
  get: (key: string) => fence.getItem(key),
  set: async (key: string, value: string) => void (await fence.setItem(key, value)),
  delete: async (key: string) => void (await fence.removeItem(key)),
})

/** Bytes of one value; more than that iOS has refused in some versions. */
const LIMIT = 2048
/** `errSecInteractionNotAllowed`: before the first unlock after a restart. */
const LOCKED = /-25308|interaction is not allowed/i

/** The record in a phone's keychain. */
export const keychainStorage = (
  keychain: KeyValue,
  name: string,
  crypto: CryptoPort,
  fence: KeyValue | undefined,
): StoragePort =>
  slotStorage(keychain, {
    name,
    limit: LIMIT,
    isLocked: (error) => LOCKED.test(String((error as Error | undefined)?.message)),
    randomText: () => toBase64url(crypto.randomBytes(16)),
    ...(fence && { fence }),
  })

/** What a browser module says of its end. `maybe` the callback is still on its way, by a link. */
export type NativeOutcome = BrowserOutcome | { type: "maybe" }

export interface NativeBrowser {
  /** Resolves when the browser is gone, or earlier, with what is known. */
  open(url: string, redirectUri: string): Promise<NativeOutcome>
  close(): unknown
  visit(url: string): unknown
}

/**
 * A browser whose callback comes from its own answer or by a link, whichever is first: the client takes the links itself, and
 * closes the run when one of them ends the login.
 */
export function nativeBrowser(browser: NativeBrowser): BrowserPort {
  return {
    start(redirectUri, clock) {
      let isOpen = false
      let end = (_: BrowserOutcome) => {}
      return {
        redirectUri,
        open: (url) =>
          new Promise((resolve, reject) => {
            end = resolve
            isOpen = true
            browser.open(url, redirectUri).then(
              (outcome) => {
                isOpen = false
                if (outcome.type !== "maybe") return resolve(outcome)
                clock.after(GRACE, () => resolve({ type: "cancelled" }))
              },
              (error) => {
                isOpen = false
                reject(error)
              },
            )
          }),
        close() {
          if (isOpen) quietly(() => browser.close())
          isOpen = false
          end({ type: "cancelled" })
        },
      }
    },
    visit: async (url) => void (await browser.visit(url)),
  }
}

/** Closing what the user has closed already is an error for some modules and none for us. */
function quietly(work: () => unknown): void {
  try {
    const result = work()
    if (result instanceof Promise) result.catch(() => {})
  } catch {
    // It is closed.
  }
}
