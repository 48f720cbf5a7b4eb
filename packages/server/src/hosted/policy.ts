import { FORBIDDEN_SCHEMES, LOOPBACK } from "../config/uris.js"

/**
 * J1, J5: where a page may send the browser. The registered URIs were judged at start and the request's was compared with
 * them; a script's URL as a link would be the end of the page all the same, so it is refused here too.
 * @returns the URL as the browser will read it
 * @throws TypeError which does not name the URL: a handoff stands in it
 */
export function checkedTarget(target: string): string {
  const url = URL.canParse(target) ? new URL(target) : null
  if (
    url === null ||
    FORBIDDEN_SCHEMES.has(url.protocol) ||
    url.username !== "" ||
    url.password !== "" ||
    (url.protocol === "http:" && !LOOPBACK.has(url.hostname))
  )
    throw new TypeError("A page was given a target that no browser may be sent to.")
  return url.href
}

/** Where a form posts to: a path, or a whole URL of the web. */
export function checkedAction(action: string): string {
  const url = URL.canParse(action, "https://own.invalid") ? new URL(action, "https://own.invalid") : null
  if (url?.protocol !== "https:" && url?.protocol !== "http:")
    throw new TypeError("A page was given a form action that is not of the web.")
  return action
}

/** An origin as a source of the policy. One with `;` or `,` in it would add a rule of its own. */
export function checkedOrigin(origin: string): string {
  if (!/^[a-z][a-z0-9+.-]*:\/\/(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d+)?$/i.test(origin))
    throw new TypeError("A page was given something that is not an origin.")
  return origin
}

export function checkedNonce(nonce: string): string {
  if (!/^[\w+/-]{16,}={0,2}$/.test(nonce)) throw new TypeError("A page needs a nonce of 128 random bits.")
  return nonce
}

/** What a page needs beside its own text and style. */
export interface Needs {
  nonce: string
  /** It has a script. */
  script: boolean
  /** It has a form, whose answer is a page of ours. */
  form: boolean
  /** The one origin whose page may frame it; `null`: none. */
  origin: string | null
}

/** The headers of a page. There is no opener policy: a popup that must answer its opener would lose it. */
export function pageHeaders({ nonce, script, form, origin }: Needs): Record<string, string> {
  const policy = [
    "default-src 'none'",
    ...(script ? [`script-src 'nonce-${nonce}'`] : []),
    `style-src 'nonce-${nonce}'`,
    "base-uri 'none'",
    `form-action ${form ? "'self'" : "'none'"}`,
    `frame-ancestors ${origin ?? "'none'"}`,
  ]
  return {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": policy.join("; "),
    // J5, for browsers that know no frame-ancestors; it cannot name an origin.
    ...(origin === null ? { "X-Frame-Options": "DENY" } : {}),
    // A page under no-referrer posts its form with `Origin: null`, and could not be told from a stranger's. What follows the
    // form leaves our origin without a referrer under both.
    "Referrer-Policy": form ? "same-origin" : "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
  }
}
