import type { KeyObject } from "node:crypto"
import type { ProviderOptions } from "../config/options.js"

export type FakeEndpoint = "discovery" | "jwks" | "authorize" | "token" | "userinfo" | "logout"

type Json = { [name: string]: unknown }

/** What goes wrong at one endpoint. Set it in `provider.faults`, delete it to mend the endpoint. */
export interface EndpointFault {
  /** Milliseconds before the answer. */
  delay?: number
  /** Closes the connection: `before` the request is acted on, or `after` (the code is spent, the answer is lost). */
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
  /** Edits each ID token before it is signed; a text that it returns is sent in its place. */
  idToken?: (draft: DraftToken) => unknown
}

export interface FakeClient {
  clientId: string
  clientSecret?: string
  /** For `private_key_jwt`: the public JWK. */
  publicKey?: Json
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
  /** Added to the metadata; `undefined` takes a member away. */
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
  /** Seconds since the epoch. */
  authTime?: number
  /** Further claims of the ID token and of userinfo. */
  claims?: Json
}

/** What an app sends to `POST /exchange` after a login. */
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
  /** From now on a new key signs, and only it is published. */
  rotateKeys(): void
  /** Signs claims as an ID token would be, with the current key; the header may be changed. */
  sign(claims: Json, header?: Json): string
  /** The provider's part of the server's options, with one redirect URI. */
  options(): ProviderOptions & { clientId: string; redirectUris: string[]; allowLoopbackHttp: true }
  close(): Promise<void>
}
