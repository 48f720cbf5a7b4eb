import type { Delivery, StartAnswer, StartRequest } from "@pkce/protocol"
import { PkceError } from "../errors.js"
import { originOf } from "../pkce/url.js"
import type { BridgePort } from "../platforms/bridge.js"
import { pause } from "../session/clock.js"
import { closeLogin, type StoredLogin } from "../session/record.js"
import { repeat } from "../session/repeat.js"
import { errorOf } from "../session/wire.js"
import type { FlowDeps, LoginFlow } from "./flow.js"
import type { LoginResult } from "./login.js"
import type { ProviderList } from "./provider.js"
import { userCode } from "./user-code.js"

/** What a person needs who logs in on another device. */
export interface UserCode {
  /** The backend's page shows it too: `ABCD-EFGH`. Show it, and say that both must be equal. */
  code: string
  /** Where to log in. */
  url: string
}

export interface HostedOptions {
  /**
   * How the result comes to the app. `redirect` (default): by the redirect URI. `poll`: the app asks for it. With a `bridge` it
   * comes by the message of a page.
   */
  delivery?: "redirect" | "poll"
  /** From {@link webView} or {@link messageWindow}: the login is shown in there, and no redirect URI is needed. */
  bridge?: BridgePort
  /** `poll`: shows the code. Where it is left out, or `openBrowser` is not `false`, the platform's browser is opened too. */
  show?: (user: UserCode) => void
  openBrowser?: boolean
}

/** Milliseconds: what the backend says, within these. */
const FASTEST = 1000
const SLOWEST = 10_000
const LIFETIME = 600_000
/** A7: logins that may wait at once, as in transactions.ts. Exported from there it would cost every app some bytes. */
const MOST = 5

/**
 * The backend does the login on its own https callback, and gives the session to the app that asked for it (see the backend's
 * `hosted`). For providers that take no custom scheme, and for devices that no browser can come back to.
 *
 * @throws PkceError of `login()`: what the backend answers to `/start`, and what `login()` throws in any case
 * @example
 * ```ts
 * export const auth = createPkceClient({
 *   server: "https://api.example.com/auth",
 *   platform: cli(),
 *   flow: hosted({ delivery: "poll", show: ({ code, url }) => console.log(`Open ${url} and compare ${code}`) }),
 * })
 * ```
 */
export function hosted(options: HostedOptions = {}) {
  const { bridge, show, openBrowser } = options
  const delivery: Delivery = bridge ? "webview" : (options.delivery ?? "redirect")

  return (deps: FlowDeps, providers: ProviderList): LoginFlow => {
    const { wire, platform, clock, record } = deps
    let interval = 2000

    async function nameOf(id: string | undefined): Promise<string> {
      if (id !== undefined) return id
      const list = await providers()
      const [only, another] = list
      if (!only || another) throw new PkceError("invalid_request", "start")
      return only.id
    }

    async function start(body: StartRequest): Promise<StartAnswer> {
      // A start that was lost is a login that nobody opens: it may be asked for again.
      const answer = await repeat(deps, { method: "POST", path: "/start", body }, (a) => !a.retryable)
      const { login_id, authorize_url } = answer.body as Partial<StartAnswer>
      if (!login_id || !authorize_url) throw errorOf(answer, "start")
      return answer.body as unknown as StartAnswer
    }

    async function present(request: { login_id: string; code_verifier: string }, url: string) {
      const code = await userCode(deps.crypto, request.login_id, request.code_verifier)
      show?.({ code, url })
      // Where it cannot be opened, the person has the URL.
      if (!show || openBrowser !== false) await Promise.resolve(platform.browser.visit?.(url)).catch(() => {})
    }

    const flow: LoginFlow = {
      async begin({ options, provider: id, redirectUri, state, challenge, device, request }) {
        const { prompt, params } = options
        // The request is the backend's: an app that asks for more must not believe that it got it.
        if (prompt !== undefined || params) throw new PkceError("reserved_parameter", "start")
        const provider = await nameOf(id)
        const target = delivery === "redirect" ? redirectUri : bridge?.origin?.()
        const answer = await start({
          provider,
          delivery,
          state,
          code_challenge: challenge,
          device,
          ...(target && { redirect_uri: target }),
          ...(options.loginHint && { login_hint: options.loginHint }),
          ...(options.uiLocales && { ui_locales: options.uiLocales }),
        })
        const { login_id, authorize_url: url, poll_interval } = answer
        const mount = `/login/${login_id}`
        // A6, B5: the page is the backend's own, and so is who speaks in the callback.
        if (!url.endsWith(mount) || originOf(url) !== originOf(wire.base())) {
          throw new PkceError("issuer_mismatch", "start")
        }
        interval = Math.min(SLOWEST, Math.max(FASTEST, poll_interval * 1000 || interval))
        return {
          url,
          path: delivery === "poll" ? "/poll" : "/redeem",
          parameter: "handoff",
          provider,
          issuer: url.slice(0, -mount.length),
          issRequired: true,
          request: { ...request, login_id },
        }
      },
    }
    if (bridge) flow.browser = bridge.browser(() => wire.base())
    if (delivery === "poll") {
      const isWanted = async (state: string) =>
        (await record.read()).logins.some((login) => login.state === state)

      flow.repeat = async (_, call, settled, state) => {
        const since = clock.monotonic()
        for (;;) {
          // Asked before the backend is: what another tab closes with a session, it gets from the backend too.
          const isOpen = await isWanted(state)
          const answer = await repeat(deps, call, (a) => settled(a) || a.status === 202)
          if (settled(answer)) return answer
          if (!isOpen) throw new PkceError("callback_used", "exchange")
          // The backend's own clock ends the login; this is for one that nobody answers for any more.
          if (clock.monotonic() - since > LIFETIME) throw new PkceError("flow_expired", "exchange")
          await pause(clock, interval)
        }
      }

      flow.login = async ({ signal }, prepare, redeem) => {
        let begun: StoredLogin | undefined

        /** Nobody asks for it any more, and a session that is on its way ends. */
        async function giveUp(): Promise<LoginResult> {
          await record.update((stored) => begun && closeLogin(stored, begun.state)).catch(() => {})
          return { status: "cancelled" }
        }

        async function run(): Promise<LoginResult> {
          const { url, login } = await prepare("")
          begun = login
          // Complete from the first, so that `restore()` goes on with it.
          await record.update((stored) => {
            stored.logins = [...stored.logins, { ...login, redeemedAt: login.createdAt }].slice(-MOST)
          })
          if (signal?.aborted) return giveUp()
          await present(login.request as { login_id: string; code_verifier: string }, url)
          return redeem(login)
        }

        if (signal?.aborted) return { status: "cancelled" }
        let abort = () => {}
        const aborted = new Promise<LoginResult>((resolve) => {
          // After the write: a session that was stored before it has been told by then.
          abort = () => resolve(giveUp())
        })
        signal?.addEventListener("abort", abort)
        try {
          return await Promise.race([run(), aborted])
        } finally {
          signal?.removeEventListener("abort", abort)
        }
      }
    }
    return flow
  }
}
