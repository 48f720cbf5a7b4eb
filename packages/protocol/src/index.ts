export { fromBase64url, toBase64url } from "./base64url.js"
export {
  type ClientErrorCode,
  isTerminal,
  type ServerErrorCode,
  serverErrors,
  TERMINAL_CODES,
} from "./errors.js"
export { isChallenge, isIdentifier, isVerifier } from "./grammar.js"
export {
  type ConfigAnswer,
  type ConfigProvider,
  type Device,
  type ErrorAnswer,
  type ExchangeRequest,
  type Grant,
  type LogoutAnswer,
  type LogoutRequest,
  PROTOCOL_HEADER,
  PROTOCOL_VERSION,
  type RefreshRequest,
  type SessionAnswer,
  type SessionDevice,
  type SessionListAnswer,
  type SessionSummary,
  type UserInfo,
} from "./wire.js"
