import type { ConfigProvider, Device } from "@pkce/protocol"
import { appFlow } from "./login/app-flow.js"
import type { SignedIn } from "./login/exchange.js"
import type { FlowDeps, LoginFlow } from "./login/flow.js"
import { createLogins, type LoginOptions, type LoginResult, type Restored } from "./login/login.js"
import { createProviderList, type ProviderList } from "./login/provider.js"
import { originOf } from "./pkce/url.js"
import type { Platform } from "./platforms/ports.js"
import { baseOf, secure } from "./session/base.js"
import { systemClock } from "./session/clock.js"
import { createDevices, type Devices } from "./session/devices.js"
import { type ClientSession, createEvents, type PkceClientEvent } from "./session/events.js"
import { createFetch } from "./session/fetch.js"
import { createLine } from "./session/line.js"
import { createLogout, type LogoutOptions } from "./session/logout.js"
import { createRecordStore } from "./session/record.js"
import { createSessionState } from "./session/state.js"
import { createWire } from "./session/wire.js"

export interface PkceClientOptions {
  /**
   * Where the backend's handler is mounted, such as `https://api.example.com/auth`. On the web a path will do. Plain http is
   * for localhost only.
   */
  server: string
  /** What the provider sends the browser back to; one for all, or one per provider id. Only a login by poll needs none. */
  redirectUri?: string | Record<string, string>
  /** From `@pkce/client/hosted`: the backend does the login. Default: the app does it itself. */
  flow?: (deps: FlowDeps, providers: ProviderList) => LoginFlow
  platform: Platform
  /** The provider of a `login()` that names none. */
  provider?: string
  /** The particulars of the providers, so that the app need not ask `GET /config`. */
  providers?: ConfigProvider[]
  /** Origins beside the backend's that `fetch` may send the session token to. */
  apiOrigins?: string[]
  /** Shown in the user's list of devices. */
  device?: Device
}

/** What {@link createPkceClient} returns. */
export interface PkceClient {
  /** The session in memory: `null` before `restore()` has read it. */
  readonly session: ClientSession | null
  /**
   * Call it once at start. Loads the session, and finishes a login that a redirect, a reload or the operating system
   * interrupted. Never waits for the network where there is no such login.
   *
   * @throws PkceError `storage_unavailable`, `storage_locked`
   * @example
   * ```ts
   * const { session, login } = await auth.restore()
   * if (login?.status === "failed") showError(login.error.code)
   * ```
   */
  restore(): Promise<Restored>
  /**
   * Logs in. Call it in the user's gesture, so that a window may open. Cancelling is a result; the session that was there
   * before ends once the new one is stored.
   *
   * @throws PkceError whose `code` says what failed
   * @example
   * ```ts
   * const result = await auth.login({ prompt: "login" })
   * if (result.status === "signed_in") greet(result.session.user)
   * ```
   */
  login(options?: LoginOptions): Promise<LoginResult>
  /**
   * For an app that gets its callbacks itself, such as from a link listener: give it every URL. `null` for a URL that
   * belongs to no login; nothing changes then; and where a `login()` that waits for it throws. The same callback given twice is
   * redeemed once.
   *
   * @throws PkceError where the login failed
   */
  handleRedirect(url: string): Promise<SignedIn | null>
  /** Reports changes of the session until the answer is called. */
  subscribe(listener: (event: PkceClientEvent) => void): () => void
  /**
   * A session token for your API, or `null` where nobody is logged in. Answers at once while the token is valid, and renews it
   * in time. With `minTtl` (seconds) it waits for a token that lives longer than that, and gives the present one if none can
   * be had.
   *
   * @throws PkceError `network` or a code of the backend with `retryable` (try again; the session stays), `stalled`,
   *   `storage_unavailable`
   */
  getSessionToken(options?: { minTtl?: number }): Promise<string | null>
  /**
   * `fetch` with the session token. A path belongs to the backend's origin. After a 401 it renews the token and tries once
   * more, unless the body is a stream.
   *
   * @throws PkceError `origin_not_allowed` for an origin that is neither the backend's nor in `apiOrigins`
   * @example
   * ```ts
   * const response = await auth.fetch("/me")
   * ```
   */
  fetch: typeof fetch
  /** Renews the session token now, at most once in 10 s; between that it gives the present one. */
  refresh(): Promise<string | null>
  /**
   * Logs out: here first, then at the backend if it can be reached, and with `provider: true` at the provider.
   *
   * @throws PkceError `storage_unavailable` where the device could not forget the session
   */
  logout(options?: LogoutOptions): Promise<void>
  sessions: Devices
}

// Looked up at each call, since others put theirs in its place.
const globalFetch: typeof fetch = (input, init) => globalThis.fetch(input, init)

/**
 * The app's side of the login.
 *
 * @throws PkceError `insecure_endpoint` for a `server` or an `apiOrigins` entry that is not https (or http on localhost)
 * @example
 * ```ts
 * import { createPkceClient } from "@pkce/client"
 * import { web } from "@pkce/client/web"
 *
 * export const auth = createPkceClient({
 *   server: "/auth",
 *   redirectUri: "https://app.example.com/callback",
 *   platform: web(),
 * })
 * ```
 */
export function createPkceClient(options: PkceClientOptions): PkceClient {
  const { platform, redirectUri = {}, flow = appFlow, device } = options
  const { http = globalFetch, clock = systemClock, crypto, storage } = platform
  const base = baseOf(options.server, platform)
  const apiOrigins = (options.apiOrigins ?? []).map(secure)

  const wire = createWire(http, clock, base, platform.bind && "include")
  const record = createRecordStore(storage)
  const events = createEvents()
  const state = createSessionState(record, clock, events, platform.changes)
  const redirectUris = typeof redirectUri === "string" ? [redirectUri] : Object.values(redirectUri)
  const core = { redirectUris, platform, wire, clock, crypto, record, events, state }
  const line = createLine(core)
  const { logout, abandon } = createLogout(core, line)
  const authorized = createFetch(http, line, () => [base(), ...apiOrigins].map(originOf))
  const logins = createLogins({
    ...core,
    redirectUri,
    provider: options.provider,
    flow: flow(core, createProviderList(core, options.providers)),
    device: { platform: platform.name, ...device },
    abandon,
  })

  storage.onLost?.((reason) => events.emit({ type: "storage_lost", session: null, reason }))
  // While it slept another tab may have ended the session, unheard. What has become due is renewed; what hinders it shows when a
  // token is asked for.
  platform.wakes?.(() => {
    state
      .load(true)
      .then(() => line.getSessionToken())
      .catch(() => {})
  })

  return {
    get session() {
      return state.view()
    },
    ...logins,
    ...line,
    subscribe: events.subscribe,
    fetch: authorized,
    logout,
    sessions: createDevices(createWire(authorized, clock, base), record, state),
  }
}
