// By hand, because some engines have no URL, and others one that throws. Strict: what the pattern does not know is refused,
// so that no two parsers can disagree about the host (backslashes, user information, tabs, white space).
const ORIGIN = /^(https?:\/\/)(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?(?=[/?#]|$)/
const LOOPBACK = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/

/** Scheme, host and port in lower case without the default port, or `null` if it is no plain http(s) URL. */
export function originOf(url: string): string | null {
  const [, scheme, host, port = ""] = ORIGIN.exec(url.toLowerCase()) ?? []
  return scheme ? scheme + host + (port === (scheme[4] === "s" ? ":443" : ":80") ? "" : port) : null
}

/** The origin if nobody on the way can read along: https, or http that does not leave the machine. A8. */
export function secureOriginOf(url: string): string | null {
  const origin = /[\s\\#]/.test(url) ? null : originOf(url)
  return origin && (origin[4] === "s" || LOOPBACK.test(origin)) ? origin : null
}

/** The values of each name in a query, or `null` where it is not well encoded. */
export function parseForm(text: string): Map<string, string[]> | null {
  const values = new Map<string, string[]>()
  try {
    for (const part of text.split("&").filter(Boolean)) {
      const [name = "", ...rest] = part.replace(/\+/g, " ").split("=").map(decodeURIComponent)
      values.set(name, [...(values.get(name) ?? []), rest.join("=")])
    }
    return values
  } catch {
    return null
  }
}
