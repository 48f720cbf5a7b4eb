import type { ClientErrorCode, ServerErrorCode } from "@pkce/protocol"

/** What a {@link PkceError} says went wrong. Stable: a code may be added, never renamed. */
export type PkceErrorCode = ClientErrorCode | ServerErrorCode

/** Where it went wrong. */
export type PkcePhase = "configure" | "start" | "callback" | "exchange" | "refresh" | "request" | "storage"

export interface PkceErrorDetails {
  retryable?: boolean
  errorId?: string | undefined
  /** Seconds. */
  retryAfter?: number | undefined
  untrustedIdpText?: string | undefined
  ignorable?: boolean
}

/**
 * The one error of `@pkce/client`. Its message is made of `phase` and `code` alone: no input, token or URL gets into it.
 *
 * @example
 * ```ts
 * try {
 *   await auth.login()
 * } catch (error) {
 *   if (error instanceof PkceError && error.retryable) showTryAgain()
 *   else throw error
 * }
 * ```
 */
export class PkceError extends Error {
  declare readonly name: "PkceError"
  declare readonly code: PkceErrorCode
  declare readonly phase: PkcePhase
  /** Trying again later can succeed; nothing was lost. */
  declare readonly retryable: boolean
  /** 16 hexadecimal digits that the backend's event bears too. */
  declare readonly errorId: string | undefined
  /** Seconds to wait, where the backend named them. */
  declare readonly retryAfter: number | undefined
  /** `error` and `error_description` of the provider: at most 200 printable ASCII characters. Never render it as HTML. */
  declare readonly untrustedIdpText: string | undefined
  /** A callback that was not for this login: go on waiting, the login is still pending. */
  declare readonly ignorable: boolean

  constructor(code: PkceErrorCode, phase: PkcePhase, details: PkceErrorDetails = {}) {
    super(`PKCE ${phase} failed: ${code}`)
    Object.assign(
      this,
      {
        name: "PkceError",
        code,
        phase,
        ignorable: false,
        retryable: /^(network|storage)/.test(code),
      },
      details,
    )
  }
}
