import { createPkceClient, createPkcePair, type Platform, webCrypto } from "@pkce/client"
import { reactNative } from "@pkce/client/react-native"
import { bareBackend, type Proof, SERVER, virtualClock } from "./world.js"

// The one flow that every engine runs, with the package as it was built. Nothing is assumed but the language, and that the
// one who starts it has randomness to give.

export interface Host {
  random(length: number): ArrayLike<number>
  /** A platform's own SHA-256, where there is one. */
  sha256?(data: Uint8Array): Uint8Array
}

/** What happened to one app that logs in, loses answers, is killed, starts again and logs out. */
export interface Told {
  login: string
  user: unknown
  /** Session tokens, one for each time that the app asked. */
  tokens: (string | null)[]
  /** The error where no answer arrived at all, and whether the session outlived it. */
  offline: [code: unknown, stays: boolean]
  /** Status of an API call with the session token; `null` in an engine without `Headers`. */
  api: number | null
  /** How often each refresh was sent, byte for byte the same. */
  repeats: number[]
  proofs: Proof[]
  requests: string[]
  /** Whether anything but the last login's marks was left after the logout. */
  left: { session: unknown; secrets: number }
}

export interface Flow {
  /** By whose SHA-256 and randomness. */
  told: { [way: string]: Told }
  pair: { verifier: string; challenge: string }
  /** What became of logins without a source of randomness: the error, browsers opened, codes redeemed. */
  refused: { [why: string]: [code: unknown, opened: number, redeemed: number] }
  /** What the engine has of what many libraries take for granted. */
  has: string[]
}

const HOUR = 3_600_000
const COMMON = [
  "crypto",
  "URL",
  "TextEncoder",
  "Buffer",
  "atob",
  "fetch",
  "AbortController",
  "Intl",
  "console",
]

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "nothing",
    (error) => error.code ?? String(error),
  )

/** A device with `@pkce/client/react-native` on it, which brings its own SHA-256, and whose native modules are plain objects. */
function device(random: (length: number) => Uint8Array) {
  const clock = virtualClock()
  const backend = bareBackend(clock)
  const keychain = new Map<string, string>()
  const opened: string[] = []
  const nothing = { remove: () => undefined }
  const platform: Platform = {
    ...reactNative({
      InAppBrowser: {
        isAvailable: async () => true,
        async openAuth(url) {
          opened.push(url)
          return { type: "success", url: backend.authorize(url) }
        },
        closeAuth: () => undefined,
      },
      Keychain: {
        ACCESSIBLE: { AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY: "afterFirstUnlock" },
        STORAGE_TYPE: { AES_GCM_NO_AUTH: "noAuth" },
        async getGenericPassword({ service }) {
          const password = keychain.get(service)
          return password === undefined ? false : { password }
        },
        setGenericPassword: async (_, password, { service }) => keychain.set(service, password),
        resetGenericPassword: async ({ service }) => keychain.delete(service),
      },
      randomBytes: random,
      Linking: {
        addEventListener: () => nothing,
        getInitialURL: async () => null,
        openURL: async () => undefined,
      },
      AppState: { addEventListener: () => nothing },
    }),
    clock,
    http: backend.http,
  }
  return { clock, backend, keychain, opened, platform }
}

const start = (platform: Platform) =>
  createPkceClient({ server: SERVER, redirectUri: "com.example.app://callback", platform })

const withWebCrypto = (platform: Platform): Platform => ({ ...platform, crypto: webCrypto })

/** How often each text stands there in a row. */
function runs(texts: string[]): number[] {
  const counts: number[] = []
  texts.forEach((text, at) => {
    if (at > 0 && text === texts[at - 1]) counts.push((counts.pop() ?? 0) + 1)
    else counts.push(1)
  })
  return counts
}

async function tell(
  { clock, backend, keychain }: ReturnType<typeof device>,
  platform: Platform,
): Promise<Told> {
  const tokens: (string | null)[] = []
  const ask = async (app: ReturnType<typeof start>) => {
    tokens.push(await clock.settled(app.getSessionToken()))
  }

  const app = start(platform)
  const login = await clock.settled(app.login())
  const user = login.status === "signed_in" && login.session.user
  await ask(app)
  clock.advance(HOUR)
  backend.lose(1)
  await ask(app)

  clock.advance(HOUR)
  backend.lose(99)
  const code = await clock.settled(codeOf(app.getSessionToken()))
  backend.lose(0)
  // The app is killed; another process finds what it had sent, and sends it again.
  const again = start(platform)
  const { session } = await clock.settled(again.restore())
  await ask(again)
  clock.advance(HOUR)
  await ask(again)

  const api = typeof Headers === "function" ? (await clock.settled(again.fetch("/me"))).status : null
  await clock.settled(again.logout())
  const left = {
    session: (await clock.settled(start(platform).restore())).session,
    secrets: [...keychain.values()].filter((value) => /rt\.|st\.|verifier/.test(value)).length,
  }
  const offline: Told["offline"] = [code, session !== null]
  const repeats = runs(backend.refreshes)
  const { proofs, seen: requests } = backend
  return { login: login.status, user, tokens, offline, api, repeats, proofs, requests, left }
}

/** Runs `work` in an engine that has lost its WebCrypto. */
async function withoutWebCrypto<T>(work: () => Promise<T>): Promise<T> {
  const own = Object.getOwnPropertyDescriptor(globalThis, "crypto")
  Object.defineProperty(globalThis, "crypto", { value: undefined, configurable: true, writable: true })
  try {
    return await work()
  } finally {
    if (own) Object.defineProperty(globalThis, "crypto", own)
    else delete (globalThis as { crypto?: unknown }).crypto
  }
}

async function refusals(random: (length: number) => Uint8Array): Promise<Flow["refused"]> {
  const without = device(random)
  const short = device((length) => random(length - 1))
  const broken = device(() => {
    throw new Error("the native module is not linked")
  })
  const refused: Flow["refused"] = {}
  const attempt = async (why: string, on: ReturnType<typeof device>, platform: Platform) => {
    const code = await on.clock.settled(codeOf(start(platform).login()))
    refused[why] = [code, on.opened.length, on.backend.proofs.length]
  }
  await withoutWebCrypto(async () => {
    await attempt("no WebCrypto", without, withWebCrypto(without.platform))
    await attempt("too few bytes", short, short.platform)
    await attempt("a module that throws", broken, broken.platform)
  })
  return refused
}

/** What was there of `names` before anything ran. */
const present = (names: string[]) =>
  names.filter((name) => (globalThis as { [name: string]: unknown })[name] !== undefined)

export async function run({ random, sha256 }: Host): Promise<Flow> {
  const has = present(COMMON)
  // A1: whoever falls back to a weak source is found out.
  const weak = Math.random
  Math.random = () => {
    throw new Error("Math.random was asked")
  }
  try {
    const bytes = (length: number) => Uint8Array.from(random(length))
    const told: Flow["told"] = {}
    const own = device(bytes)
    told["our own SHA-256"] = await tell(own, own.platform)
    if (sha256) {
      const given = device(bytes)
      told["the platform's"] = await tell(given, {
        ...given.platform,
        crypto: { randomBytes: bytes, sha256 },
      })
    }
    if (globalThis.crypto?.subtle) {
      const web = device(bytes)
      told.WebCrypto = await tell(web, withWebCrypto(web.platform))
    }
    const { crypto } = own.platform
    const { verifier, challenge } = await createPkcePair(crypto)
    return { told, pair: { verifier, challenge }, refused: await refusals(bytes), has }
  } finally {
    Math.random = weak
  }
}

// Engines without modules are handed this file as a script.
Object.assign(globalThis, { run })
