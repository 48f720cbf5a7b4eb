import { PkceError, type PkceErrorCode, type PkceErrorDetails } from "../errors.js"
import { parseForm } from "./url.js"

/** What the app knows of the login that it waits for. */
export interface ExpectedCallback {
  redirectUri: string
  state: string
  /** The provider's issuer, compared exactly with `iss` where that is present (RFC 9207 section 2.4). */
  issuer: string
  /** The provider promises `iss`: a callback without it is refused. */
  issRequired?: boolean
  /** What stands for the code in a hosted login's callback. Default `code`. */
  parameter?: "handoff"
}

export interface CallbackResult {
  code: string
  state: string
  iss?: string | undefined
}

interface Parts {
  /** Without query and fragment, as all systems would write it. */
  base: string
  /** Of query and fragment alike; none where it is no URL. */
  params: [name: string, value: string][]
  /** The same by name. Which of two values it is does not matter: a name that counts and comes twice is refused. */
  values: Record<string, string>
}

// B6: tokens do not belong into a callback of the code flow, nor a whole answer that nobody verified.
const FORBIDDEN = ["access_token", "id_token", "refresh_token", "response"]
const URL_PARTS = /^(?=.{1,16384}$)([a-z][a-z0-9+.-]*:)\/*([^/\\?#]*)([^?#]*)\??(.*)/i

function split(url: string): Parts {
  const [, scheme = "", host = "", path, query = ""] = URL_PARTS.exec(url) ?? []
  const params = parseForm(query.replace("#", "&"))
  // Systems hand on `myapp://callback` as `myapp:///callback`, scheme and host in any case, and a bare host with a slash.
  const base = params ? (scheme + host).toLowerCase() + (path || "/") : ""
  return { base, params: params ?? [], values: Object.fromEntries(params ?? []) }
}

const isAt = ({ base, values }: Parts, expected: Parts): boolean =>
  base === expected.base && Object.entries(expected.values).every(([name, value]) => values[name] === value)

/** A callback that fails its login. */
export const refused = (code: PkceErrorCode, details?: PkceErrorDetails) =>
  new PkceError(code, "callback", details)

/** One that is not for it: whoever waits goes on waiting. */
export const ignored = (code: PkceErrorCode) => refused(code, { ignorable: true })

/** Takes the same time for any two texts of one length. */
function equalTexts(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i)
  return difference === 0
}

/** Whether a URL is an answer for this redirect URI, true or forged; other URLs are the app's own business. */
export function looksLikeCallback(url: string, redirectUri: string): boolean {
  const parts = split(url)
  const has = (name: string) => name in parts.values
  return (
    isAt(parts, split(redirectUri)) && has("state") && ["code", "handoff", "error", ...FORBIDDEN].some(has)
  )
}

/**
 * Checks the URL that the provider sent the browser back to (RFC 6749 section 4.1.2, RFC 9207, RFC 9700 section 4). Pure.
 * Query and fragment are read alike.
 *
 * An error with `ignorable: true` means that the URL was not an answer to this login: drop it and go on waiting. Any other
 * error means that this login failed.
 *
 * @throws PkceError `state_mismatch` (ignorable); `callback_invalid` for another address, garbage (both ignorable), doubled
 * parameters, tokens or an empty code; `issuer_mismatch`; `access_denied`; `authorization_error`.
 * @example
 * ```ts
 * const { code } = parseCallback(url, {
 *   redirectUri: "com.example.app://auth/callback",
 *   state,
 *   issuer: "https://tenant.auth0.com/",
 * })
 * ```
 */
export function parseCallback(url: string, expected: ExpectedCallback): CallbackResult {
  const result = readCallback(url, expected)
  if (result instanceof PkceError) throw result
  return result
}

type Outcome = (CallbackResult & { ignorable?: never }) | PkceError

/** {@link parseCallback} for who goes on with either outcome. */
export function readCallback(url: string, expected: ExpectedCallback): Outcome {
  const parts = split(url)
  const { parameter = "code", issuer } = expected
  const { state, [parameter]: code, iss, error, error_description: description } = parts.values
  const isDoubled = (name: string) => parts.params.filter(([own]) => own === name).length > 1

  if (!isAt(parts, split(expected.redirectUri)) || isDoubled("state")) {
    return ignored("callback_invalid")
  }
  // B1: until here the URL may be anybody's. B2: nothing sent is not equal to nothing stored.
  if (!state || !equalTexts(state, expected.state)) return ignored("state_mismatch")
  if ([parameter, "iss", "error"].some(isDoubled) || FORBIDDEN.some((name) => name in parts.values)) {
    return refused("callback_invalid")
  }
  // B5: an answer of another provider, an error included, says nothing about this login.
  if (iss === undefined ? expected.issRequired : iss !== issuer) return refused("issuer_mismatch")
  if (error !== undefined) {
    const text = [error, description].filter(Boolean).join(": ")
    return refused(error === "access_denied" ? error : "authorization_error", {
      // B7
      untrustedIdpText: text.replace(/[^ -~]/g, "").slice(0, 200),
    })
  }
  return code ? { state, code, iss } : refused("callback_invalid")
}
