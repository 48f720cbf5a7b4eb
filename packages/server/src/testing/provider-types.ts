import type { KeyObject } from "node:crypto"
import type { ProviderOptions } from "../config/options.js"

/** `token` redeems codes; `refresh`, at the same address, is what it is called with `grant_type=refresh_token`. */
export type FakeEndpoint =
  | "discovery"
  | "jwks"
  | "authorize"
  | "token"
  | "refresh"
  | "userinfo"
  | "revocation"
  | "logout"

type Json = { [name: string]: unknown }

/** What goes wrong at one endpoint. Set it in `provider.faults`, delete it to mend the endpoint. */
export interface EndpointFault {
  /** Milliseconds before the answer. */
  delay?: number
  /**
   * Closes the connection: `before` the request is acted on, or `after` (the code or refresh token is spent, the answer is
   * lost).
   */
  hangUp?: "before" | "after"
  status?: number
  headers?: Record<string, string>
  /** Edits the JSON that would have been sent, or replaces it. */
  json?: (body: Json) => unknown
  /** Sent as it is, instead of JSON. */
  raw?: string | Uint8Array
  /** Requests after which the fault is over. Default: never. */
  times?: number
}

/** An ID token about to be signed. Every part may be changed; the key signs by its own type, whatever the header says. */
export interface DraftToken {
  header: Json
  claims: Json
  /** A secret key makes HS256. */
  key: KeyObject
}

export interface FakeFaults extends Partial<Record<FakeEndpoint, EndpointFault>> {
  /** Edits each ID token, of a login or a refresh, before it is signed; a text that it returns is sent in its place. */
  idToken?: (draft: DraftToken) => unknown
}

export interface FakeClient {
  clientId: string
  clientSecret?: string
  /** For `private_key_jwt`: the public JWK. */
  publicKey?: Json
}

/** What becomes of a refresh token when it is used. */
export interface FakeRefreshTokens {
  /**
   * - `none` (default): it stays good, and the answer has no other.
   * - `strict`: the answer has its successor, and it is spent. A second use ends the whole grant, successor included, and is
   *   answered `invalid_grant`.
   * - `grace`: as `strict`, but for `graceSeconds` after its first use it gets the same successor again, with another access
   *   token.
   */
  rotation?: "none" | "strict" | "grace"
  /** Default 30. */
  graceSeconds?: number
}

export interface FakeProviderOptions {
  /** Appended to the origin to make the issuer: `""` (default), `"/"` as Auth0 has it, or a path. */
  issuerPath?: string
  /** Default: one client with a secret. */
  clients?: FakeClient[]
  /** `token_endpoint_auth_methods_supported`, and what is accepted. Default: all four. */
  authMethods?: string[]
  /** Signs ID tokens. Default `RS256`. */
  algorithm?: "RS256" | "ES256" | "EdDSA"
  /** Issues a refresh token at every login. Without it only logins with the scope `offline_access` get one. */
  refreshTokens?: FakeRefreshTokens
  /** Seconds, `expires_in` of the answers. Default 3600. */
  accessTokenLifetime?: number
  /** Added to the metadata, for instance `backchannel_logout_supported`; `undefined` takes a member away. */
  metadata?: Json
  /** Seconds since the epoch; for a clock of your own. */
  now?: () => number
}

/** A login that the user has finished, as the provider remembers it. */
export interface FakeGrant {
  redirectUri: string
  /** S256 of the verifier (RFC 7636 section 4.2). */
  codeChallenge: string
  sub?: string
  nonce?: string
  /** Default: the first client. */
  clientId?: string
  /** Space-separated. */
  scope?: string
  /** Seconds since the epoch. */
  authTime?: number
  /** Further claims of the ID token and of userinfo. */
  claims?: Json
}

/** What an app that has its callback sends to `/exchange`. */
export interface FinishedLogin {
  code: string
  code_verifier: string
  redirect_uri: string
  nonce: string
  iss: string
}

export interface FakeRequest {
  endpoint: FakeEndpoint
  method: string
  url: string
  headers: Record<string, string | string[] | undefined>
  body: string
}

export interface FakeProvider {
  readonly origin: string
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** Mutable; empty at first. */
  faults: FakeFaults
  /** Requests that each endpoint received. */
  readonly calls: Record<FakeEndpoint, number>
  /** Every request, oldest first. */
  readonly requests: FakeRequest[]
  /** Who logs in at `/authorize`. Mutable. */
  user: { sub: string; [claim: string]: unknown }
  /** A code for a login that needs no browser. */
  issueCode(grant: FakeGrant): string
  /** A whole login without a browser: makes PKCE and nonce itself. */
  finishLogin(grant?: Partial<Omit<FakeGrant, "codeChallenge">>): FinishedLogin
  /** Ends all that the user has granted so far: refresh and access tokens are refused, a new login is not. */
  revokeUser(sub: string): void
  /** From now on a new key signs, and only it is published. */
  rotateKeys(): void
  /** Signs claims as an ID token would be, with the current key; the header may be changed. */
  sign(claims: Json, header?: Json): string
  /**
   * A logout token (OpenID Connect Back-Channel Logout 1.0 section 2.4) about `user`, good for two minutes. Claims and
   * header may be changed; `undefined` takes one away.
   */
  logoutToken(claims?: Json, header?: Json): string
  /** The provider's part of the server's options, with one redirect URI. */
  options(): ProviderOptions & { clientId: string; redirectUris: string[]; allowLoopbackHttp: true }
  close(): Promise<void>
}
