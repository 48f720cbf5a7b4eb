/**
 * The backend's half of an app login.
 *
 * @example
 * ```ts
 * import { createPkceServer } from "@pkce/server"
 * import { expressAuth, requireSession } from "@pkce/server/express"
 *
 * const auth = createPkceServer()            // PKCE_* from the environment
 * app.use("/auth", expressAuth(auth))
 * app.get("/me", requireSession(auth), (req, res) => res.json(req.auth.user))
 * ```
 *
 * @packageDocumentation
 */
export type {
  ConfigAnswer,
  ConfigProvider,
  Device,
  ErrorAnswer,
  ExchangeRequest,
  Grant,
  LogoutAnswer,
  LogoutRequest,
  RefreshRequest,
  SessionAnswer,
  SessionListAnswer,
  SessionSummary,
  UserInfo,
} from "@pkce/protocol"
export { ConfigurationError, type Fault } from "./config/faults.js"
export type {
  ClientAuthenticationMethod,
  ClientOptions,
  HostedOptions,
  PkceServerOptions,
  ProviderMetadata,
  ProviderOptions,
  SecretOptions,
  SessionOptions,
} from "./config/options.js"
export type { PageStrings } from "./config/page-strings.js"
export { PkceError, type PkceErrorCode, type PkceErrorDetails, type ThrownErrorCode } from "./errors.js"
export type { PkceEvent } from "./events.js"
export type { BodyRead, Handler, HttpAnswer, HttpRequest } from "./http/message.js"
export type { KeyProvider } from "./key-provider.js"
export { createPkceServer } from "./server.js"
export type { Authenticatable, PkceServer, ProviderAccess, SessionRecord } from "./server-types.js"
export { subjectOf } from "./session/subject.js"
export type { Session } from "./session/types.js"
export type {
  Advance,
  AdvanceResult,
  ClaimResult,
  CreateResult,
  GrantState,
  LeaseResult,
  NewSession,
  OnceKind,
  SealGrant,
  SealResult,
  SessionRow,
  Store,
} from "./stores/contract.js"
export { memoryStore } from "./stores/memory.js"
export type { OpenTelemetry } from "./telemetry/types.js"
export type {
  BackgroundRefreshOptions,
  RefreshDueOptions,
  RefreshDueReport,
} from "./vault/background-refresh.js"
export type { AccessTokenOptions } from "./vault/provider-grants.js"
export type { ResealOptions, ResealReport } from "./vault/reseal.js"
