export type { ConfigProvider, Device, SessionSummary, UserInfo } from "@pkce/protocol"
export { createPkceClient, type PkceClient, type PkceClientOptions } from "./client.js"
export { PkceError, type PkceErrorCode, type PkceErrorDetails, type PkcePhase } from "./errors.js"
export type { SignedIn } from "./login/exchange.js"
export type { LoginOptions, LoginResult, Restored } from "./login/login.js"
export { type AuthorizationUrlOptions, createAuthorizationUrl } from "./pkce/authorization-url.js"
export { type CallbackResult, type ExpectedCallback, parseCallback } from "./pkce/callback.js"
export { webCrypto } from "./pkce/crypto.js"
export { createPkcePair, type PkcePair } from "./pkce/pair.js"
export type {
  BrowserOutcome,
  BrowserPort,
  BrowserRun,
  ChangesPort,
  ClockPort,
  CryptoPort,
  LossReason,
  Platform,
  StoragePort,
} from "./platforms/ports.js"
export type { Devices } from "./session/devices.js"
export type { ClientSession, PkceClientEvent } from "./session/events.js"
export type { LogoutOptions } from "./session/logout.js"
