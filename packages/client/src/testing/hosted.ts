import type { Delivery, StartRequest } from "@pkce/protocol"
import { answer, draw, type Redeemable, refusal, type Seen, s256 } from "./answers.js"
import type { FakeClock } from "./clock.js"

/** Milliseconds. */
const LIFETIME = 600_000

interface HostedLogin extends Redeemable, Pick<StartRequest, "delivery" | "redirect_uri" | "state"> {
  challenge: string
  startedAt: number
  iss: string
  handoff: string
  /** What the user has come to in the browser. */
  outcome?: "finished" | "access_denied" | "server_error"
}

/** What a page of the backend posts to a web view. */
export interface HostedMessage {
  type: "pkce"
  handoff?: string
  error?: string
  state: string
  iss: string
}

/** What the browser brings back from a hosted login. */
export interface HostedReturn {
  /** `webview`: what the page posts. */
  message: HostedMessage
  /** `redirect`: where the page goes. */
  url: string
}

interface HostedDeps {
  clock: FakeClock
  grantOnce(entry: Redeemable, body: Seen["body"]): Response
  offers(delivery: Delivery): boolean
}

/** The hosted login of the fake backend: `/start`, `/redeem`, `/poll`, and what a person does in the browser meanwhile. */
export function fakeHosted({ clock, grantOnce, offers }: HostedDeps) {
  const logins = new Map<string, HostedLogin>()

  function find(loginId: unknown): HostedLogin | undefined {
    const login = logins.get(String(loginId))
    return login && clock.monotonic() - login.startedAt <= LIFETIME ? login : undefined
  }

  const isStarters = (login: HostedLogin, { body }: Seen) =>
    s256(String(body.code_verifier)) === login.challenge

  return {
    start({ body, url }: Seen): Response {
      const { delivery, redirect_uri, state, code_challenge, device = {} } = body as unknown as StartRequest
      const isWhole = state && code_challenge && (delivery !== "redirect" || redirect_uri)
      if (!isWhole || !offers(delivery)) return refusal(400, "invalid_request")
      const loginId = draw()
      const iss = url.replace(/\/start$/, "")
      const handoff = draw()
      const startedAt = clock.monotonic()
      const login = { delivery, state, device, challenge: code_challenge, startedAt, iss, handoff }
      logins.set(loginId, { ...login, ...(redirect_uri && { redirect_uri }) })
      const authorize_url = `${iss}/login/${loginId}`
      return answer(200, { login_id: loginId, authorize_url, expires_in: 600, poll_interval: 2 })
    },

    redeem(seen: Seen): Response {
      const login = find(seen.body.login_id)
      if (!login) return refusal(410, "login_expired")
      const isHandedOver = login.outcome === "finished" && login.delivery !== "poll"
      return isHandedOver && seen.body.handoff === login.handoff && isStarters(login, seen)
        ? grantOnce(login, seen.body)
        : refusal(400, "login_failed")
    },

    poll(seen: Seen): Response {
      const login = find(seen.body.login_id)
      if (!login) return refusal(410, "login_expired")
      if (login.delivery !== "poll" || !isStarters(login, seen)) return refusal(400, "login_failed")
      if (login.outcome === undefined) return answer(202, { status: "pending" })
      return login.outcome === "finished" ? grantOnce(login, seen.body) : refusal(400, "login_failed")
    },

    /**
     * What a person does at the `authorize_url` of a hosted login: logs in, or, with an error, does not. Answers what the
     * browser then brings back to the app; by `poll` it brings nothing.
     *
     * @throws Error for a URL that no login of this backend has
     */
    finish(authorizeUrl: string, error?: "access_denied" | "server_error"): HostedReturn {
      const login = logins.get(authorizeUrl.split("/login/")[1] ?? "")
      if (!login) throw new Error("no hosted login has this URL")
      login.outcome ??= error ?? "finished"
      const { state, iss, handoff, redirect_uri = "" } = login
      const result = login.outcome === "finished" ? { handoff } : { error: login.outcome }
      const query = new URLSearchParams({ ...result, state, iss })
      return {
        message: { type: "pkce", ...result, state, iss },
        url: `${redirect_uri}${redirect_uri.includes("?") ? "&" : "?"}${query}`,
      }
    },
  }
}
