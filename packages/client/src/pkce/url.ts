// By hand, because some engines have no URL, and others one that throws. Strict: what the pattern does not know is refused,
// so that no two parsers can disagree about the host (backslashes, user information, tabs, white space).
const ORIGIN = /^https?:\/\/(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?(?=[/?#]|$)/
const SECURE = /^(https:|http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:|$))/

/** Scheme, host and port in lower case without the default port, or `null` if it is no plain http(s) URL. */
export function originOf(url: string): string | null {
  const [origin] = ORIGIN.exec(url.toLowerCase()) ?? []
  return origin?.replace(origin[4] === "s" ? /:443$/ : /:80$/, "") ?? null
}

/** The origin if nobody on the way can read along: https, or http that does not leave the machine. A8. */
export function secureOriginOf(url: string): string | null {
  const origin = originOf(url)
  return origin && SECURE.test(origin) && !/[\s\\#]/.test(url) ? origin : null
}

/** The names and values of a query in their order, or `null` where it is not well encoded. */
export function parseForm(text: string): [name: string, value: string][] | null {
  try {
    return text
      .split("&")
      .filter(Boolean)
      .map((part) => {
        const [name = "", ...rest] = part.replace(/\+/g, " ").split("=").map(decodeURIComponent)
        return [name, rest.join("=")]
      })
  } catch {
    return null
  }
}
