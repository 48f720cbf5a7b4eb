import type { PkceEvent } from "../events.js"
import type { KeyProvider } from "../key-provider.js"
import type { Store } from "../stores/contract.js"
import type { OpenTelemetry } from "../telemetry/types.js"
import type { PageStrings } from "./page-strings.js"

/** Provider metadata as OpenID Connect Discovery 1.0 section 3 names it; only what is used here. */
export interface ProviderMetadata {
  issuer: string
  authorization_endpoint: string
  token_endpoint: string
  jwks_uri: string
  userinfo_endpoint?: string
  end_session_endpoint?: string
  revocation_endpoint?: string
  pushed_authorization_request_endpoint?: string
  require_pushed_authorization_requests?: boolean
  authorization_response_iss_parameter_supported?: boolean
  token_endpoint_auth_methods_supported?: string[]
  code_challenge_methods_supported?: string[]
  [name: string]: unknown
}

export type ClientAuthenticationMethod =
  | "client_secret_basic"
  | "client_secret_post"
  | "private_key_jwt"
  | "none"

/** One client registration at a provider. */
export interface ClientOptions {
  clientId: string
  /** What an environment variable that is not set gives, `undefined`, is refused at start. Leave it out for a public client. */
  clientSecret?: string | undefined
  /**
   * For `private_key_jwt` (RFC 7523): a private JWK with `alg` and, where the provider needs it, `kid`. The assertion's
   * audience is the issuer; for Microsoft Entra ID and Okta, which want it, the token endpoint.
   */
  privateKey?: { [member: string]: unknown }
  /**
   * How the backend authenticates at the token endpoint. By default `private_key_jwt` with a `privateKey`, `none` with
   * neither key nor secret, otherwise `client_secret_post` where the provider lists it, else `client_secret_basic`.
   */
  clientAuthentication?: ClientAuthenticationMethod
  /** Compared byte for byte. Only the port of `http://127.0.0.1` and `http://[::1]` may vary (RFC 8252 section 7.3). */
  redirectUris: string[]
}

/** An identity provider: by `issuer` (discovery), by `metadataUrl`, or by inline `metadata`. */
export interface ProviderOptions extends Partial<ClientOptions> {
  /** Compared exactly with discovery, ID tokens and callbacks: mind the trailing slash (Auth0 has one). */
  issuer: string
  /** Where the metadata is, if not at `issuer` + `/.well-known/openid-configuration`. */
  metadataUrl?: string
  metadata?: ProviderMetadata
  /** Several client ids at this issuer (iOS, Android, web): each becomes a provider of its own, `<provider>.<name>`. */
  clients?: Record<string, ClientOptions>
  /** Space-separated. Default `openid profile email`. Add `offline_access` for a provider refresh token. */
  scope?: string
  /** Extra fixed parameters of the authorization URL. Names that the protocol uses are refused. */
  authorizationParams?: Record<string, string>
  /** Auth0: the API that the provider's access token is for. */
  audience?: string
  /** Auth0: the organization to log in to; the ID token's `org_id` (or `org_name`) must then match. */
  organization?: string
  /** Auth0: the connection to use. */
  connection?: string
  /** Signature algorithms that an ID token may bear. Default `["RS256"]`. */
  idTokenAlgorithms?: string[]
  /** Audiences beside the client id that an ID token may bear. */
  trustedAudiences?: string[]
  /** Seconds; asks for, and checks, a login that is no older. */
  maxAge?: number
  /** Asks userinfo after each login. Default false. */
  fetchUserinfo?: boolean
  /** `"optional"` admits apps that send no nonce, and then only if the ID token bears none. Default `"required"`. */
  nonce?: "required" | "optional"
  /** Seconds of clock difference that are tolerated. Default 60, at most 300. */
  maxSkew?: number
  /**
   * Revokes the provider's refresh token (RFC 7009) when its session ends, where the provider has an endpoint for it.
   * Default true. Some providers then end all grants of this user and client: with Auth0 that is a setting of the tenant.
   */
  revokeTokens?: boolean
  /**
   * Hosted login: sends the authorization request signed with `privateKey` (RFC 9101), so that nobody on the way can change it.
   * Default false. It is pushed (RFC 9126) in any case, where the provider offers that.
   */
  signedRequests?: boolean
  /** Hosts beside the issuer's where the metadata may place the token, JWKS, userinfo and revocation endpoints. Default: any public host. */
  allowedEndpointHosts?: string[]
}

export type SecretOptions =
  | string
  | undefined
  | {
      secret: string | undefined
      /** Seconds since the epoch: verify with this secret now, sign with it from then on. */
      signFrom?: number
    }

export interface SessionOptions {
  /** `HS256` (default) where the backend alone verifies; `EdDSA` or `ES256` where other services do, by `/jwks.json`. */
  algorithm?: "HS256" | "EdDSA" | "ES256"
  /** `ES256` only: the private JWK. `EdDSA` and `HS256` keys are derived from `secrets`. */
  privateKey?: { [member: string]: unknown }
  /** `aud` of the session token. Default: its `iss`. */
  audience?: string
  /** Profile claims that the session token carries, beside `iss aud sub sid iat exp jti`; also `idp_iss`, `idp_sub`. */
  claims?: string[]
  /** Seconds a session token lives, less a jitter of up to 15 %. Default 300, at most 3600. */
  tokenLifetime?: number
  /** Seconds without a refresh after which a session ends. Default 30 days. */
  idleLifetime?: number
  /** Seconds after login at which a session ends whatever happens. Default 90 days. */
  absoluteLifetime?: number
}

/** Login that the backend does itself, on its own https callback (see docs/hosted-login.md). */
export interface HostedOptions {
  /**
   * Admits logins that end with no callback: the app asks until the user is done. Off by default: a stranger can start
   * such a login and send somebody else its page. The page then shows the device's name and a code, and needs a click.
   */
  poll?: boolean
  /** Pages that may get the handoff by message, from a frame or a window of theirs: exact origins. */
  origins?: string[]
  /** The team's or the app's name on the page. */
  name?: string
  /** The page's colour, as `#rrggbb`. */
  color?: string
  /** Words by language, such as `{ de: { ... } }`; what is left out is English. */
  strings?: Record<string, Partial<PageStrings>>
}

/** The options of `createPkceServer`. A single provider's options may stand at the top. */
export interface PkceServerOptions extends Partial<ProviderOptions> {
  /** More than one provider, by id. */
  providers?: Record<string, ProviderOptions>
  /**
   * The public URL of the mount, such as `https://api.example.com/auth`: the `iss` of session tokens. Required with an
   * asymmetric `session.algorithm` and with `hosted`.
   */
  url?: string
  /** The path of the mount for `fetch(request)`. Default: the path of `url`, else `/auth`. */
  basePath?: string
  /** Newest first; each at least 32 random bytes, for instance from `openssl rand -base64 32`. */
  secrets?: SecretOptions[]
  /** Key ids of secrets that were compromised: their refresh tokens are 401. An id that is merely unknown is 503. */
  retiredKids?: string[]
  /** Keys from a KMS for what is sealed into the store, in place of those of `secrets`, which then still open. */
  keyProvider?: KeyProvider
  store?: Store
  session?: SessionOptions
  /** Offers hosted login. Needs `url`; register `<url>/callback` at the provider. Default: not offered. */
  hosted?: HostedOptions
  /** Origins of web apps that call from elsewhere. Exact; never `*`. */
  allowedOrigins?: string[]
  /** Where the browser may return to after a logout at the provider. Exact. */
  postLogoutRedirectUris?: string[]
  /** Failures of one address per minute, and at once, before it is answered 429. Default `{ perMinute: 10, burst: 20 }`. */
  rateLimit?: { perMinute: number; burst: number } | false
  /** For `fetch(request)`: the client's address, from whatever your platform puts it in. */
  clientAddress?: (request: Request) => string | undefined
  /** Receives every event. Without it, each kind of trouble that you can mend is told to `onWarning` once. */
  onEvent?: (event: PkceEvent) => void
  /** Called after a session was revoked because a second party used its credential. */
  onReuse?: (reuse: { session_id: string; sub: string }) => void
  /**
   * What becomes of a session whose grant the provider has ended (it refused the refresh token twice: the user was disabled
   * or took the consent back). `keep` (default): it goes on, and `provider(session)` throws `reauthentication_required`.
   */
  onProviderGrantRevoked?: "keep" | "revoke-session"
  /**
   * Spans and metrics for exchange, refresh, the calls of providers and the operations of the store: the module itself, from
   * `import * as api from "@opentelemetry/api"`. Without it nothing is measured.
   */
  openTelemetry?: OpenTelemetry
  /** Receives the warnings. Default `console.warn`. */
  onWarning?: (warning: string) => void
  /** Admits the memory store with `NODE_ENV=production`: sessions end with the process. */
  allowMemoryStore?: boolean
  /** Admits plain http to 127.0.0.1 and [::1], for a provider on the developer's machine. Refused in production. */
  allowLoopbackHttp?: boolean
  /** Admits a provider at a private address (an intranet). */
  allowPrivateIdp?: boolean
}
