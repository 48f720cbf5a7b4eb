export { fromBase64url, toBase64url } from "./base64url.js"
export {
  type ClientErrorCode,
  isTerminal,
  type ServerErrorCode,
  serverErrors,
  TERMINAL_CODES,
} from "./errors.js"
export { CHALLENGE, IDENTIFIER, isChallenge, isIdentifier, isVerifier, VERIFIER } from "./grammar.js"
export { formatUserCode, userCodeText } from "./user-code.js"
export {
  type ConfigAnswer,
  type ConfigProvider,
  type Delivery,
  type Device,
  type ErrorAnswer,
  type ExchangeRequest,
  type Grant,
  type LogoutAnswer,
  type LogoutRequest,
  type PendingAnswer,
  type PollRequest,
  PROTOCOL_HEADER,
  PROTOCOL_VERSION,
  type RedeemRequest,
  type RefreshRequest,
  type SessionAnswer,
  type SessionDevice,
  type SessionListAnswer,
  type SessionSummary,
  type StartAnswer,
  type StartRequest,
  type UserInfo,
} from "./wire.js"
