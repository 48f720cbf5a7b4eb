// Port 0 is no port and "080" is not how anyone writes 80: only the canonical text may vary.
const LOOPBACK = /^(http:\/\/(?:127\.0\.0\.1|\[::1\]))(?::([1-9]\d{0,4}))?(\/.*)?$/s

/** The URI without its port where it is a loopback IP's, otherwise `null`. */
function withoutPort(uri: string): string | null {
  const match = LOOPBACK.exec(uri)
  if (!match || Number(match[2] ?? 80) > 65535) return null
  return `${match[1]}${match[3] ?? ""}`
}

/**
 * C5: compares a redirect URI byte for byte with those registered (RFC 9700 section 4.1.3). Only the port of
 * `http://127.0.0.1` and `http://[::1]` may differ, since a desktop app takes the one that is free (RFC 8252 section 7.3).
 */
export function redirectUriMatcher(registered: readonly string[]): (uri: string) => boolean {
  const exact = new Set(registered)
  const loopback = new Set(registered.map(withoutPort).filter((uri) => uri !== null))
  return (uri) => {
    if (exact.has(uri)) return true
    const portless = withoutPort(uri)
    return portless !== null && loopback.has(portless)
  }
}
