/** Every error code of the wire, its HTTP status, and whether the identical request may be repeated. */
export const serverErrors = {
  invalid_request: { status: 400, retryable: false },
  redirect_uri_not_allowed: { status: 400, retryable: false },
  login_failed: { status: 400, retryable: false },
  logout_failed: { status: 400, retryable: false },
  invalid_token: { status: 401, retryable: false },
  session_expired: { status: 401, retryable: false },
  session_revoked: { status: 401, retryable: false },
  session_reuse_detected: { status: 401, retryable: false },
  forbidden: { status: 403, retryable: false },
  origin_not_allowed: { status: 403, retryable: false },
  not_found: { status: 404, retryable: false },
  method_not_allowed: { status: 405, retryable: false },
  request_timeout: { status: 408, retryable: true },
  exchange_in_progress: { status: 409, retryable: true },
  exchange_interrupted: { status: 409, retryable: false },
  login_expired: { status: 410, retryable: false },
  payload_too_large: { status: 413, retryable: false },
  unsupported_media_type: { status: 415, retryable: false },
  rate_limited: { status: 429, retryable: true },
  internal: { status: 500, retryable: true },
  idp_bad_response: { status: 502, retryable: true },
  unavailable: { status: 503, retryable: true },
  idp_unavailable: { status: 503, retryable: true },
  idp_misconfigured: { status: 503, retryable: true },
  idp_timeout: { status: 504, retryable: true },
} as const satisfies Record<string, { status: number; retryable: boolean }>

/** An `error` that the server sends. */
export type ServerErrorCode = keyof typeof serverErrors

/** A `PkceError.code` that the client makes itself; it also throws the server's. */
export type ClientErrorCode =
  | "access_denied"
  | "authorization_error"
  | "callback_invalid"
  | "callback_unexpected"
  | "callback_used"
  | "crypto_unavailable"
  | "embedded_user_agent"
  | "flow_expired"
  | "insecure_endpoint"
  | "issuer_mismatch"
  | "network"
  | "origin_not_allowed"
  | "reserved_parameter"
  | "stalled"
  | "state_mismatch"
  | "storage_locked"
  | "storage_unavailable"

/** The only answers to `/refresh` that end a session on the client. Everything else is "unknown, repeat". */
export const TERMINAL_CODES = [
  "invalid_token",
  "session_expired",
  "session_revoked",
  "session_reuse_detected",
] as const satisfies ServerErrorCode[]

export const isTerminal = (code: unknown): boolean => (TERMINAL_CODES as readonly unknown[]).includes(code)
