import { type ServerErrorCode, serverErrors } from "@pkce/protocol"
import { randomBytes } from "#crypto"

/** Codes that the server's own functions throw beside the wire's. */
export type ThrownErrorCode = "reauthentication_required" | "provider_grant_unreadable"

export type PkceErrorCode = ServerErrorCode | ThrownErrorCode

export interface PkceErrorDetails {
  /** A short name from a closed vocabulary, for the event; it is never sent to a client. */
  reason?: string
  /** Seconds. */
  retryAfter?: number
  /** One fixed sentence for the developer of the app. Never built from input. */
  description?: string
  retryable?: boolean
}

/**
 * The one error of `@pkce/server`.
 *
 * @example
 * ```ts
 * try {
 *   await auth.exchange(input)
 * } catch (error) {
 *   if (error instanceof PkceError && error.retryable) return retryLater(error.retryAfter)
 *   throw error
 * }
 * ```
 */
export class PkceError extends Error {
  override readonly name = "PkceError"
  readonly code: PkceErrorCode
  /** The HTTP status that the router answers with. */
  readonly status: number
  /** Whether the identical request may be repeated. */
  readonly retryable: boolean
  readonly retryAfter: number | undefined
  readonly reason: string | undefined
  readonly description: string | undefined
  /** 16 hexadecimal digits, the same in the answer and in the event. */
  readonly errorId: string

  constructor(code: PkceErrorCode, details: PkceErrorDetails = {}) {
    super(code)
    const known =
      code in serverErrors ? serverErrors[code as ServerErrorCode] : { status: 500, retryable: false }
    this.code = code
    this.status = known.status
    this.retryable = details.retryable ?? known.retryable
    this.retryAfter = details.retryAfter
    this.reason = details.reason
    this.description = details.description
    this.errorId = Array.from(randomBytes(8), (byte) => byte.toString(16).padStart(2, "0")).join("")
  }
}

/** A failed call of a provider, or a refusal of what it answered. */
export class ProviderError extends PkceError {
  /** The provider may have seen the code: it must not be presented again. */
  readonly spent: boolean

  constructor(code: ServerErrorCode, spent: boolean, details: PkceErrorDetails = {}) {
    super(code, details)
    this.spent = spent
  }
}
