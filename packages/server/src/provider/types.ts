import type { ConfigProvider } from "@pkce/protocol"

/** What the provider issued, as it is sealed into the store. Times are seconds since the epoch. */
export interface ProviderTokens {
  access_token: string
  token_type: string
  id_token: string
  refresh_token?: string
  scope?: string
  /** Left out where the provider does not say. */
  expires_at?: number
  /** What the ID token of the login said. Refreshed ones, which may leave it out, must not say anything else (E16). */
  login?: { nonce?: string; auth_time?: number }
}

/** A user whom the provider has proved to be there, after every check of the ID token. */
export interface Identity {
  issuer: string
  subject: string
  /** `sid` of the ID token, for back-channel logout. */
  idpSid: string | null
  /** Seconds since the epoch: `iat` of the ID token. */
  issuedAt: number
  /** Claims about the user, from the ID token and userinfo; never the protocol's own (iss, aud, exp, nonce, ...). */
  profile: Record<string, unknown>
  tokens: ProviderTokens
}

export interface Redemption {
  code: string
  codeVerifier: string
  redirectUri: string
  nonce?: string
}

/** What a hosted login's authorization request says beside what the configuration fixes. */
export interface AuthorizationInput {
  /** The backend's own callback. */
  redirectUri: string
  state: string
  nonce: string
  /** S256. */
  codeChallenge: string
  loginHint?: string
  /** Space-separated. */
  uiLocales?: string
}

/** What the session has, and what is wanted in its place. */
export interface RefreshInput {
  tokens: ProviderTokens
  /** `sub` of the session's user. */
  subject: string
  /** Narrower than what was granted (RFC 6749 section 6), for this one access token. */
  scope?: string
  /** Auth0: the API that this one access token is for. */
  audience?: string
}

export type RefreshOutcome =
  /** Complete: what the provider left out (its refresh token, its ID token) is what was there before. */
  | { outcome: "refreshed"; tokens: ProviderTokens }
  /** `invalid_grant`. */
  | { outcome: "refused" }
  /** E16: the new ID token is not one of this user and login. Nothing of the answer may be used. */
  | { outcome: "identity_changed"; reason: string }

/** A logout token that passed every check (OpenID Connect Back-Channel Logout 1.0 section 2.6). */
export interface LogoutToken {
  jti: string
  /** At least one of the two is there. */
  sub: string | undefined
  sid: string | undefined
  /** Seconds since the epoch. */
  iat: number
  exp: number
}

/** One client id at one issuer. */
export interface Provider {
  readonly id: string
  readonly issuer: string
  readonly clientId: string
  /** `nonce: "optional"` admits clients that send none. */
  readonly nonceOptional: boolean

  /** Byte-exact against the list; only the port of a loopback IP may vary (RFC 8252 section 7.3). */
  allowsRedirectUri(uri: string): boolean

  /** What `GET /config` says of it; also warms the connection to the token endpoint. Throws `ProviderError`. */
  config(): Promise<ConfigProvider>

  /** Where a hosted login sends the browser. May push the request to the provider first. Throws `ProviderError`. */
  authorizationUrl(input: AuthorizationInput): Promise<string>

  /**
   * Refuses a callback's `iss` that is not this issuer, or its absence where the provider promises it (RFC 9207
   * section 2.4). Throws `ProviderError` (`login_failed`, nothing spent), or `idp_*` where the metadata cannot be had.
   */
  checkCallbackIssuer(iss: string | undefined): Promise<void>

  /**
   * Redeems the code by one call to the token endpoint, validates the ID token whole, and asks userinfo where the
   * configuration wants it. Throws `ProviderError`: `login_failed` for a refusal (the provider's or ours), otherwise an
   * `idp_*` code whose `spent` says whether the provider may have seen the code.
   */
  redeem(input: Redemption): Promise<Identity>

  /**
   * Refreshes by one call to the token endpoint (RFC 6749 section 6). Throws `ProviderError` where there is no answer to
   * go by; its `spent` is false only where the provider certainly has not acted on the refresh token.
   */
  refresh(input: RefreshInput): Promise<RefreshOutcome>

  /**
   * The user's claims (OpenID Connect Core section 5.3). Throws `ProviderError`, for another `subject` too; its reason is
   * `userinfo_unauthorized` where the provider takes the access token no more.
   */
  userinfo(accessToken: string, subject: string): Promise<Record<string, unknown>>

  /**
   * Revokes a refresh token (RFC 7009), where the provider has an endpoint for it and `revokeTokens` is not off. May be
   * repeated. Throws `ProviderError`.
   */
  revoke(refreshToken: string): Promise<void>

  /** Throws `ProviderError` (`logout_failed` with the reason), or `idp_*` where the keys cannot be had. */
  verifyLogoutToken(token: string): Promise<LogoutToken>

  /** Whether the metadata says that logout tokens will come (`backchannel_logout_supported`). */
  announcesLogout(): Promise<boolean>

  /** Where to send the browser to end the provider's session; `null` where the provider offers no such thing. */
  logoutUrl(input: {
    idToken?: string
    postLogoutRedirectUri?: string
    state?: string
  }): Promise<string | null>
}
