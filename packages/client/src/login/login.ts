import type { Device } from "@pkce/protocol"
import { PkceError } from "../errors.js"
import { looksLikeCallback, refused } from "../pkce/callback.js"
import { randomText } from "../pkce/crypto.js"
import { drawPair } from "../pkce/pair.js"
import type { BrowserRun, Platform } from "../platforms/ports.js"
import type { ClientSession, Events } from "../session/events.js"
import { joined } from "../session/joined.js"
import type { StoredLogin } from "../session/record.js"
import { createExchange, type ExchangeDeps, type SignedIn } from "./exchange.js"
import type { LoginFlow } from "./flow.js"
import { createTransactions, isFor, LIFETIME } from "./transactions.js"

export interface LoginOptions {
  /** Which provider, where the backend has more than one. */
  provider?: string
  /** Comes back in the result, also after the app was restarted. Not sent anywhere. */
  appState?: string
  /** `login_hint` (OpenID Connect Core section 3.1.2.1). */
  loginHint?: string
  /** `prompt`, such as `login` or `select_account`. */
  prompt?: string
  /** `ui_locales`, space-separated. */
  uiLocales?: string
  /** Further parameters of the authorization request. Names that the protocol or the backend sets are refused. */
  params?: Record<string, string>
  /** Ends the wait; `login` then answers `cancelled`. */
  signal?: AbortSignal
}

export type LoginResult =
  | SignedIn
  | { status: "cancelled" }
  /** The page goes to the provider; the result is `restore()`'s `login`. */
  | { status: "left" }

/** What `restore` found. */
export interface Restored {
  session: ClientSession | null
  /** The login that an app restart, a reload or a redirect interrupted, if there was one. */
  login?: LoginResult | { status: "failed"; error: PkceError } | undefined
}

export interface LoginDeps extends ExchangeDeps {
  platform: Platform
  events: Events
  redirectUri: string | Record<string, string>
  redirectUris: readonly string[]
  provider: string | undefined
  flow: LoginFlow
  device: Device
}

/** A login from its start to its session, and what a restart left of it. */
export interface Logins {
  login(options?: LoginOptions): Promise<LoginResult>
  handleRedirect(url: string): Promise<SignedIn | null>
  restore(): Promise<Restored>
}

/** A `login()` while its browser is open; `result` is there once the callback came in by `handleRedirect`. */
interface Wait {
  login: StoredLogin
  result?: Promise<SignedIn>
}

/** A login that is about to be stored, and where the browser is to go. */
export interface Prepared {
  url: string
  login: StoredLogin
}

export function createLogins(deps: LoginDeps): Logins {
  const { record, state, clock, crypto, platform, events, flow, redirectUris, redirectUri: configured } = deps
  const browser = flow.browser ?? platform.browser
  const transactions = createTransactions(record, clock)
  const redeem = createExchange(deps)
  const waiting = new Map<BrowserRun, Wait>()
  // Out of the address bar, this is the only copy: it stays until the storage took it.
  let callback = ""

  const isCallback = (url: string) => redirectUris.some((uri) => looksLikeCallback(url, uri))
  const tell = (type: "callback_ignored" | "login_failed") => (error: PkceError) =>
    events.emit({ type, session: state.view(), error })

  function redirectUriOf(provider: string | undefined): string {
    const isNamed = typeof configured === "object" && provider !== undefined
    const [own, another] = isNamed ? [configured[provider]] : redirectUris
    if (!own || another) throw new PkceError("redirect_uri_not_allowed", "start")
    return own
  }

  const finish = async (url: string) => redeem(await transactions.take(url))

  /** `null` for what was not for this app, which changes nothing but is reported. */
  async function handleRedirect(url: string): Promise<SignedIn | null> {
    await state.load()
    const result = finish(url)
    // A `login()` that waits for this callback has its answer.
    let waits: unknown
    for (const [run, wait] of waiting) {
      if (!isFor(wait.login, url)) continue
      waits = wait.result = result
      run.close()
    }
    return result.catch((error: PkceError) => {
      if (error.ignorable) tell("callback_ignored")(error)
      // Else that `login()` throws it.
      else if (!waits) throw error
      return null
    })
  }

  /** A callback that comes by a link: for the `login()` that waits for it, or a late success, which `state` reports. */
  function takeLink(url: string): void {
    if (isCallback(url)) handleRedirect(url).catch(tell("login_failed"))
  }
  /** Once. */
  let listen = () => {
    platform.links?.(takeLink)
    listen = () => {}
  }

  async function restore(): Promise<Restored> {
    listen()
    const found = platform.callbackUrl?.()
    const url = typeof found === "object" ? await found : found
    // B10: out of the address bar and the history before anything else is done.
    if (url && isCallback(url)) {
      platform.clearCallbackUrl?.()
      callback = url
    }
    // Another process, or a write that failed only after it was done, may have left more than this one knows.
    await state.load(true)
    try {
      let login = (callback && (await handleRedirect(callback))) || undefined
      callback = ""
      if (!login) {
        const unfinished = await transactions.unfinished()
        const result = unfinished && redeem(unfinished)
        // What waits for a person is waited for behind the start of the app, and told by an event.
        if (flow.login) result?.catch(tell("login_failed"))
        else login = await result
      }
      return { session: state.view(), login }
    } catch (error) {
      if (!(error instanceof PkceError)) throw error
      if (error.phase !== "storage") callback = ""
      return { session: state.view(), login: { status: "failed", error } }
    }
  }

  return {
    async login(options = {}) {
      const { signal, appState, provider = deps.provider } = options
      // A1, A4: independent draws, and no browser without a source of randomness.
      const drawn = randomText(crypto)

      async function prepare(redirectUri: string): Promise<Prepared> {
        const pkce = await drawPair(crypto)
        const step = await drawPair(crypto)
        await state.load()
        const { url, ...begun } = await flow.begin({
          options,
          provider,
          redirectUri,
          state: drawn,
          challenge: pkce.challenge,
          device: deps.device,
          request: {
            code_verifier: pkce.verifier,
            session_challenge: step.challenge,
            bind: platform.bind,
          },
        })
        return {
          url,
          login: { ...begun, state: drawn, step, redirectUri, appState, createdAt: clock.wall() },
        }
      }

      if (flow.login) return flow.login(options, prepare, redeem)
      const redirectUri = flow.browser ? "" : redirectUriOf(provider)
      listen()
      let run: BrowserRun | undefined
      let forget = () => {}
      const close = () => run?.close()
      // A late abort closes what is closed already, which is nothing.
      signal?.addEventListener("abort", close)
      try {
        run = await browser.start(redirectUri, clock)
        if (signal?.aborted) return { status: "cancelled" }
        const { url, login } = await prepare(run.redirectUri)
        await transactions.add(login)
        // Aborted meanwhile: what is closed already must not be opened.
        if (signal?.aborted) return { status: "cancelled" }
        const wait: Wait = { login }
        waiting.set(run, wait)
        // Not every system tells that its user has gone away.
        const limit = new Promise<never>((_, reject) => {
          forget = clock.after(LIFETIME, () => reject(refused("flow_expired")))
        })
        const outcome = await Promise.race([run.open(url, (candidate) => isFor(login, candidate)), limit])
        if (outcome.type === "callback") return await finish(outcome.url)
        // A cancelled login stays pending: on some systems the callback comes after the "cancel".
        return wait.result ?? { status: outcome.type }
      } catch (error) {
        // A browser that cannot be shown is a failed login; what its module says of it stays out of the error.
        throw error instanceof PkceError ? error : new PkceError("authorization_error", "start")
      } finally {
        forget()
        waiting.delete(run as BrowserRun)
        close()
      }
    },
    handleRedirect,
    // An effect that runs twice redeems once.
    restore: joined(restore),
  }
}
