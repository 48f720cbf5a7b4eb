import type { Delivery } from "@pkce/protocol"
import type { PkceEvent } from "../events.js"
import type { KeyProvider } from "../key-provider.js"
import type { Store } from "../stores/contract.js"
import type { OpenTelemetry } from "../telemetry/types.js"
import type { ClientAuthenticationMethod, PkceServerOptions, ProviderMetadata } from "./options.js"
import type { PageStrings } from "./page-strings.js"

/** One client id at one issuer, with every default applied. */
export interface ProviderConfig {
  id: string
  issuer: string
  metadataUrl: string
  metadata: ProviderMetadata | null
  clientId: string
  clientSecret: string | null
  privateKey: { [member: string]: unknown } | null
  clientAuthentication: ClientAuthenticationMethod | null
  redirectUris: string[]
  scope: string
  /** With `audience`, `organization`, `connection` and `max_age` already in. */
  authorizationParams: Record<string, string>
  organization: string | null
  idTokenAlgorithms: string[]
  trustedAudiences: string[]
  maxAge: number | null
  fetchUserinfo: boolean
  nonceOptional: boolean
  maxSkew: number
  revokeTokens: boolean
  signedRequests: boolean
  allowedEndpointHosts: string[] | null
}

/** The hosted login, where it is offered. */
export interface HostedConfig {
  /** The mount, without a slash at the end: the callback is below it, and it is the `iss` of what comes back to the app. */
  url: string
  deliveries: readonly Delivery[]
  origins: readonly string[]
  name: string | null
  color: string | null
  strings: Readonly<Record<string, Partial<PageStrings>>>
}

/** The configuration with every default applied. Nothing behind it reads the options again. */
export interface Config {
  url: string | null
  basePath: string
  providers: ProviderConfig[]
  secrets: { secret: string; signFrom: number }[]
  retiredKids: string[]
  keyProvider: KeyProvider | null
  store: Store
  session: {
    issuer: string
    audience: string
    algorithm: "HS256" | "EdDSA" | "ES256"
    privateKey: { [member: string]: unknown } | null
    claims: string[]
    tokenLifetime: number
    idleLifetime: number
    absoluteLifetime: number
  }
  hosted: HostedConfig | null
  allowedOrigins: string[]
  postLogoutRedirectUris: string[]
  rateLimit: { perMinute: number; burst: number } | null
  clientAddress: (request: Request) => string | undefined
  onEvent: (event: PkceEvent) => void
  onReuse: NonNullable<PkceServerOptions["onReuse"]>
  onProviderGrantRevoked: "keep" | "revoke-session"
  openTelemetry: OpenTelemetry | null
  onWarning: (warning: string) => void
  allowLoopbackHttp: boolean
  allowPrivateIdp: boolean
  /** `NODE_ENV` is `production`. */
  production: boolean
}
