import type { ConfigProvider, Device } from "@pkce/protocol"
import { PkceError } from "../errors.js"
import { createAuthorizationUrl } from "../pkce/authorization-url.js"
import { looksLikeCallback } from "../pkce/callback.js"
import { randomText } from "../pkce/crypto.js"
import { createPkcePair } from "../pkce/pair.js"
import type { BrowserRun, Platform } from "../platforms/ports.js"
import type { ClientSession, Events } from "../session/events.js"
import { joined } from "../session/joined.js"
import type { StoredLogin } from "../session/record.js"
import { createExchange, type ExchangeDeps, type SignedIn } from "./exchange.js"
import type { ProviderList } from "./provider.js"
import { createTransactions, isFor } from "./transactions.js"

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
  providers: ProviderList
  redirectUri: string | Record<string, string>
  provider: string | undefined
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
  run: BrowserRun
  result?: Promise<SignedIn>
}

/** A browser that cannot be shown is a failed login; what its module says of it stays out of the error. */
async function shown<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof PkceError ? error : new PkceError("authorization_error", "start")
  }
}

export function createLogins(deps: LoginDeps): Logins {
  const { record, state, clock, crypto, platform, events, redirectUri: configured } = deps
  const transactions = createTransactions(record, clock)
  const redeem = createExchange(deps)
  const redirectUris = typeof configured === "string" ? [configured] : Object.values(configured)
  const waiting = new Set<Wait>()
  // Out of the address bar, this is the only copy: it stays until the storage took it.
  let callback: string | null = null

  function redirectUriOf(provider: string | undefined): string {
    if (typeof configured === "string") return configured
    const alone = provider === undefined && redirectUris.length === 1
    const own = alone ? redirectUris[0] : configured[provider ?? ""]
    if (own === undefined) throw new PkceError("redirect_uri_not_allowed", "start")
    return own
  }

  async function choose(id: string | undefined): Promise<ConfigProvider> {
    const providers = await deps.providers()
    // Without an id there must be exactly one.
    const provider = providers.find((one) => (id === undefined ? providers.length === 1 : one.id === id))
    if (!provider) throw new PkceError("invalid_request", "start")
    const alone = providers.every(({ issuer }) => issuer === provider.issuer)
    // B5: where neither `iss` nor the address tells whose answer it is, answers could be swapped.
    if (!alone && !provider.iss_in_callback && redirectUris.length === 1) {
      throw new PkceError("redirect_uri_not_allowed", "start")
    }
    return provider
  }

  /** What is asked of the provider beside the protocol's own. */
  function paramsOf({ authorization_params: fixed = {} }: ConfigProvider, options: LoginOptions) {
    const { loginHint: login_hint, prompt, uiLocales: ui_locales, params } = options
    const own: Record<string, string | undefined> = { login_hint, prompt, ui_locales, ...params }
    // A5: what the backend sets by policy is not the app's to change.
    if (Object.keys(own).some((name) => own[name] !== undefined && name in fixed)) {
      throw new PkceError("reserved_parameter", "start")
    }
    return { ...own, ...fixed }
  }

  async function go(run: BrowserRun, drawn: { state: string; nonce: string }, options: LoginOptions) {
    const [provider, pkce, step] = await Promise.all([
      choose(options.provider ?? deps.provider),
      createPkcePair(crypto),
      createPkcePair(crypto),
      state.load(),
    ])
    const { redirectUri } = run
    const url = createAuthorizationUrl({
      ...drawn,
      authorizationEndpoint: provider.authorization_endpoint,
      clientId: provider.client_id,
      scope: provider.scope,
      redirectUri,
      codeChallenge: pkce.challenge,
      params: paramsOf(provider, options),
    })
    const login: StoredLogin = {
      state: drawn.state,
      request: {
        provider: provider.id,
        code_verifier: pkce.verifier,
        redirect_uri: redirectUri,
        nonce: drawn.nonce,
        session_challenge: step.challenge,
        device: deps.device,
      },
      step,
      redirectUri,
      issuer: provider.issuer,
      issRequired: provider.iss_in_callback,
      appState: options.appState,
      createdAt: clock.wall(),
    }
    await transactions.add(login)
    // Aborted meanwhile: what is closed already must not be opened.
    if (options.signal?.aborted) return { status: "cancelled" as const }
    const wait: Wait = { login, run }
    waiting.add(wait)
    const outcome = await shown(() => run.open(url, (candidate) => isFor(login, candidate))).finally(() =>
      waiting.delete(wait),
    )
    if (outcome.type === "callback") return finish(outcome.url)
    // A cancelled login stays pending: on some systems the callback comes after the "cancel".
    return wait.result ?? { status: outcome.type }
  }

  const finish = async (url: string) => redeem(await transactions.take(url))

  /** `null` for what was not for this app, which changes nothing but is reported. */
  async function handleRedirect(url: string): Promise<SignedIn | null> {
    await state.load()
    const result = finish(url)
    // A `login()` that waits for this callback has its answer.
    for (const wait of waiting) {
      if (!isFor(wait.login, url)) continue
      wait.result = result
      wait.run.close()
    }
    try {
      return await result
    } catch (error) {
      if (!(error instanceof PkceError && error.ignorable)) throw error
      events.emit({ type: "callback_ignored", session: state.view(), error })
      return null
    }
  }

  /** A callback that comes by a link: for the `login()` that waits for it, or a late success, which `state` reports. */
  function takeLink(url: string): void {
    if (!redirectUris.some((uri) => looksLikeCallback(url, uri))) return
    handleRedirect(url).catch((error) => {
      events.emit({ type: "login_failed", session: state.view(), error })
    })
  }
  let listens = false
  function listen(): void {
    if (!listens) platform.links?.(takeLink)
    listens = true
  }

  async function restore(): Promise<Restored> {
    listen()
    const found = platform.callbackUrl?.() ?? null
    const url = typeof found === "object" ? await found : found
    const isCallback = url !== null && redirectUris.some((uri) => looksLikeCallback(url, uri))
    // B10: out of the address bar and the history before anything else is done.
    if (isCallback) {
      platform.clearCallbackUrl?.()
      callback = url
    }
    // Another process, or a write that failed only after it was done, may have left more than this one knows.
    await state.load(true)
    try {
      let login = callback === null ? null : await handleRedirect(callback)
      callback = null
      const unfinished = login ? undefined : await transactions.unfinished()
      if (unfinished) login = await redeem(unfinished)
      return { session: state.view(), login: login ?? undefined }
    } catch (error) {
      if (!(error instanceof PkceError)) throw error
      if (error.phase !== "storage") callback = null
      return { session: state.view(), login: { status: "failed", error } }
    }
  }

  return {
    async login(options = {}) {
      // A1, A4: independent draws, and no browser without a source of randomness.
      const drawn = { state: randomText(crypto), nonce: randomText(crypto) }
      const redirectUri = redirectUriOf(options.provider ?? deps.provider)
      listen()
      const run = await shown(() => platform.browser.start(redirectUri, clock))
      // A late abort closes what is closed already, which is nothing.
      options.signal?.addEventListener("abort", () => run.close())
      try {
        if (options.signal?.aborted) return { status: "cancelled" }
        return await go(run, drawn, options)
      } finally {
        run.close()
      }
    },
    handleRedirect,
    // An effect that runs twice redeems once.
    restore: joined(restore),
  }
}
