/** Sent on every answer; an answer without it did not come from the handler (a proxy, a portal, a firewall). */
export const PROTOCOL_HEADER = "Pkce-Protocol"
export const PROTOCOL_VERSION = 1

/** What the app says of the device it runs on. Shown in the user's list of devices. Each at most 256 characters. */
export interface Device {
  name?: string
  platform?: string
  model?: string
  app_version?: string
}

/** The device as the list of sessions shows it. */
export interface SessionDevice extends Device {
  /**
   * Where the login came from, as the server saw it and cut to the network: the first 24 bits of an IPv4 address
   * (`203.0.113.0`), the first 48 of an IPv6 one (`2001:db8:1::`). Left out where the server does not know.
   */
  ip?: string
}

export type UserInfo = { sub: string } & { [claim: string]: unknown }

export interface ConfigProvider {
  id: string
  issuer: string
  authorization_endpoint: string
  client_id: string
  /** Space-separated, as it goes into the authorization URL. */
  scope: string
  /** The provider promises `iss` in the callback (RFC 9207), so a callback without it is refused. */
  iss_in_callback: boolean
  /** Fixed extra parameters of the authorization URL, such as Auth0's `audience` or `organization`. */
  authorization_params: Record<string, string>
}

/** `GET /config` */
export interface ConfigAnswer {
  protocol: 1
  providers: ConfigProvider[]
  /** The deliveries of a hosted login that the backend offers; none where it has no such thing. */
  hosted: Delivery[]
}

/** `POST /exchange` */
export interface ExchangeRequest {
  provider?: string
  code: string
  code_verifier: string
  redirect_uri: string
  nonce?: string
  iss?: string
  session_challenge?: string
  device?: Device
  /** Web only: the session is worth nothing without a cookie that the answer sets. */
  bind?: "cookie"
}

/** How a hosted login comes back to the app that started it. */
export type Delivery = "redirect" | "webview" | "poll"

/** `POST /start` of a hosted login. */
export interface StartRequest {
  provider?: string
  delivery: Delivery
  /** `redirect`: where the handoff goes. `webview`: the origin of the page that it is posted to; none for a native bridge. */
  redirect_uri?: string
  state: string
  /** S256, of a verifier that the app keeps: who redeems the handoff must have it (RFC 7636). */
  code_challenge: string
  device?: Device
  login_hint?: string
  ui_locales?: string
}

export interface StartAnswer {
  /** Public: it names the login, and proves nothing. */
  login_id: string
  /** The backend's own page, for the system browser. Its mount is the `iss` of the callback. */
  authorize_url: string
  /** Seconds. */
  expires_in: number
  /** Seconds between two polls. */
  poll_interval: number
}

/** `POST /redeem` */
export interface RedeemRequest {
  login_id: string
  /** From the callback or the web view's message; once. */
  handoff: string
  code_verifier: string
  session_challenge?: string
  bind?: "cookie"
}

/** `POST /poll` */
export interface PollRequest {
  login_id: string
  code_verifier: string
  session_challenge?: string
  bind?: "cookie"
}

/** The answer of `/poll`, with status 202, while the user is not done. */
export interface PendingAnswer {
  status: "pending"
}

/** `POST /refresh` */
export interface RefreshRequest {
  refresh_token: string
  session_verifier: string
  session_challenge: string
}

/** The answer of `/exchange` and `/refresh`. Times are seconds since the epoch, durations seconds. */
export interface Grant {
  /** Left out, with `expires_in`, when a repeat comes more than 30 s after its commit. */
  session_token?: string
  token_type: "Bearer"
  expires_in?: number
  /** Only where the request had a `session_challenge`. */
  refresh_token?: string
  refresh_expires_in?: number
  session_id: string
  /** At login only. */
  user_info?: UserInfo
  server_time: number
}

/** One session as its user sees it. */
export interface SessionSummary {
  session_id: string
  current: boolean
  created_at: number
  last_seen_at: number
  expires_at: number
  device: SessionDevice
}

/** `GET /session` */
export interface SessionAnswer {
  session: {
    session_id: string
    sub: string
    idp_iss: string
    idp_sub: string
    provider: string
    created_at: number
    expires_at: number
  }
  user_info: UserInfo
}

/** `GET /sessions` */
export interface SessionListAnswer {
  sessions: SessionSummary[]
}

/** `POST /logout`; without a bearer the two credentials of the line stand for it. */
export interface LogoutRequest {
  refresh_token?: string
  session_verifier?: string
  post_logout_redirect_uri?: string
  state?: string
}

export interface LogoutAnswer {
  /** Open it in the system browser to end the provider's session too. Relative to the request's own URL if not absolute. */
  logout_url?: string
}

/** The body of every answer that is not a success. */
export interface ErrorAnswer {
  error: string
  error_description?: string
  /** 16 hexadecimal digits; the same id is in the server's event. */
  error_id: string
  retryable: boolean
  /** Seconds. */
  retry_after?: number
}
