import { PkceError, type PkceErrorCode } from "../errors.js"
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
  iss?: string
}

interface Parts {
  /** Without query and fragment, as all systems would write it; empty where it is no URL. */
  base: string
  values(name: string): string[]
  params: Map<string, string[]>
}

const LONGEST = 16_384
// B6: tokens do not belong into a callback of the code flow, nor a whole answer that nobody verified.
const FORBIDDEN = ["access_token", "id_token", "refresh_token", "response"]
const URL_PARTS = /^([a-z][a-z0-9+.-]*:)(\/*)([^/\\?#]*)([^?#]*)\??([^#]*)#?(.*)$/i

function split(url: unknown): Parts {
  const found = typeof url === "string" && url.length < LONGEST ? URL_PARTS.exec(url) : null
  const [, scheme = "", slashes = "", host = "", path = "", query = "", fragment = ""] = found ?? []
  const params = parseForm(`${query}&${fragment}`)
  if (!scheme || !params) return { base: "", params: new Map(), values: () => [] }
  // Operating systems hand on `myapp://callback` as `myapp:///callback`, and scheme and host in any case.
  const web = /^https?:/i.test(scheme)
  const base = (scheme + (web ? slashes : "") + host).toLowerCase() + (path || (web ? "/" : ""))
  return { base, params, values: (name) => params.get(name) ?? [] }
}

function isAt({ base, values }: Parts, redirectUri: string): boolean {
  const expected = split(redirectUri)
  return (
    base !== "" &&
    expected.base === base &&
    [...expected.params].every(([name, own]) => own.every((value) => values(name).includes(value)))
  )
}

/** Takes the same time for any two texts of one length. */
function equalTexts(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i)
  return difference === 0
}

/** Whether a URL is an answer for this redirect URI, true or forged; other URLs are the app's own business. */
export function looksLikeCallback(url: string, redirectUri: string): boolean {
  const parts = split(url)
  const has = (name: string) => parts.params.has(name)
  return isAt(parts, redirectUri) && has("state") && ["code", "handoff", "error", ...FORBIDDEN].some(has)
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
  const check = (passed: boolean, code: PkceErrorCode, ignorable = false) => {
    if (!passed) throw new PkceError(code, "callback", { ignorable })
  }
  const parts = split(url)
  const { values } = parts
  const atMostOne = (name: string) => values(name).length < 2
  const { parameter = "code" } = expected
  const [state = "", code = "", iss, error] = ["state", parameter, "iss", "error"].map(
    (name) => values(name)[0],
  )

  check(isAt(parts, expected.redirectUri) && atMostOne("state"), "callback_invalid", true)
  // B1: until here the URL may be anybody's. B2: nothing sent is not equal to nothing stored.
  check(state !== "" && equalTexts(state, expected.state), "state_mismatch", true)
  check([parameter, "iss", "error"].every(atMostOne), "callback_invalid")
  check(!FORBIDDEN.some((name) => parts.params.has(name)), "callback_invalid")
  // B5: an answer of another provider, an error included, says nothing about this login.
  check(iss === undefined ? !expected.issRequired : iss === expected.issuer, "issuer_mismatch")
  if (error !== undefined) {
    const text = [error, ...values("error_description")].join(": ")
    throw new PkceError(error === "access_denied" ? error : "authorization_error", "callback", {
      // B7
      untrustedIdpText: text.replace(/[^ -~]/g, "").slice(0, 200),
    })
  }
  check(code !== "", "callback_invalid")
  return { code, state, ...(iss !== undefined && { iss }) }
}
