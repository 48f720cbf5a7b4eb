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
}

/** A user whom the provider has proved to be there, after every check of the ID token. */
export interface Identity {
  issuer: string
  subject: string
  /** `sid` of the ID token, for back-channel logout. */
  idpSid: string | null
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

  /** Where to send the browser to end the provider's session; `null` where the provider offers no such thing. */
  logoutUrl(input: {
    idToken?: string
    postLogoutRedirectUri?: string
    state?: string
  }): Promise<string | null>
}
