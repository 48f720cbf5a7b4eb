import type { Report } from "./faults.js"

export const LOOPBACK: ReadonlySet<string> = new Set(["127.0.0.1", "[::1]", "localhost"])
// Schemes that a browser acts on by itself: a code sent there runs or shows, it never reaches an app.
export const FORBIDDEN_SCHEMES: ReadonlySet<string> = new Set([
  "javascript:",
  "data:",
  "file:",
  "blob:",
  "vbscript:",
  "about:",
  "ws:",
  "wss:",
])

function parse(value: string): URL | null {
  try {
    return new URL(value)
  } catch {
    return null
  }
}

/** A8: https, or http to this very machine where the options allow it. */
export function checkEndpoint(
  option: string,
  value: string,
  allowLoopbackHttp: boolean,
  report: Report,
): void {
  const url = parse(value)
  if (!url) {
    report.fault(option, "is not an absolute URL", "Write it whole: https://host/path")
    return
  }
  if (url.username || url.password) report.fault(option, "carries credentials", "Remove them.")
  if (url.hash) report.fault(option, "has a fragment", "Remove the part from # on.")
  if (url.protocol === "https:") return
  if (url.protocol === "http:" && LOOPBACK.has(url.hostname)) {
    if (!allowLoopbackHttp)
      report.fault(
        option,
        "is plain http",
        "Use https, or set allowLoopbackHttp: true on a developer's machine.",
      )
  } else report.fault(option, "is not https", "Use https.")
}

/** RFC 6749 section 3.1.2 (absolute, no fragment), RFC 8252 sections 7 and 8.3, RFC 9700 section 2.1. */
export function checkRedirectUri(option: string, value: string, report: Report): void {
  const url = parse(value)
  if (!url) {
    report.fault(option, "is not an absolute URI", "Write it whole: com.example.app://auth/callback")
    return
  }
  if (value.includes("#")) report.fault(option, "has a fragment", "Remove the part from # on.")
  if (value.includes("*"))
    report.fault(option, "has a wildcard", "List every URI whole: they are compared byte for byte.")
  if (url.username || url.password) report.fault(option, "carries credentials", "Remove them.")
  if (FORBIDDEN_SCHEMES.has(url.protocol))
    report.fault(option, "has a scheme that no app can own", "Use https, or a reverse-domain scheme.")
  else if (url.protocol === "http:" && !LOOPBACK.has(url.hostname))
    report.fault(option, "is plain http", "Use https; http is for 127.0.0.1, [::1] and localhost.")
  else if (url.protocol !== "https:" && url.protocol !== "http:" && !url.protocol.includes("."))
    // B8: anybody's app may claim a short scheme; the reverse of a domain at least says whose it is.
    report.warn(
      `${option}: a custom scheme without a dot can be claimed by any other app; use com.example.app:/...`,
    )
}

/** C11: origins are compared whole, so one that a browser would never send is a mistake. */
export function checkOrigin(option: string, value: string, report: Report): void {
  const written = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s;,'"]+$/.test(value)
  const origin = parse(value)?.origin
  if (value === "null" || value.includes("*"))
    report.fault(option, "would admit any page", "List every origin whole.")
  else if (!written || (origin !== undefined && origin !== "null" && origin !== value))
    report.fault(
      option,
      "is not an origin as browsers send it",
      "Write scheme, host and port only: https://app.example.com",
    )
}
