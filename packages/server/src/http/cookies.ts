import type { Config } from "../config/config.js"
import { PkceError } from "../errors.js"
import type { HttpRequest } from "./message.js"

/** The cookies of one request, and the one that its answer sets. */
export interface Cookies {
  /** Throws `origin_not_allowed` where the sender of this request may neither use nor set one. */
  check(): void
  get(name: string): string | undefined
  set(name: string, value: string, seconds: number): void
  /** Deletes it, where the request bears it. */
  drop(name: string): void
  /** For the answer. */
  headers(): Record<string, string>
}

/** J6: the prefix makes browsers refuse what another host, or plain http, tries to plant (RFC 6265bis section 4.1.3). */
const PREFIX = "__Host-pkce-"

/** `secure` is false only for plain http on the developer's own machine, where browsers would refuse the prefix. */
export function createCookies(request: HttpRequest, secure = true): Cookies {
  const prefix = secure ? PREFIX : "pkce-"
  const jar = parse(request.header("cookie") ?? "")
  let header: string | undefined
  function set(name: string, value: string, seconds: number): void {
    const attributes = `Path=/; HttpOnly; SameSite=Lax; Max-Age=${seconds}${secure ? "; Secure" : ""}`
    header = `${prefix}${name}=${value}; ${attributes}`
  }
  return {
    check: () => undefined,
    get: (name) => jar.get(prefix + name),
    set,
    drop(name) {
      if (jar.has(prefix + name)) set(name, "", 0)
    },
    headers: () => (header === undefined ? {} : { "Set-Cookie": header }),
  }
}

/** A name that is there twice is there for nobody: which of the two is ours cannot be told. */
function parse(header: string): Map<string, string> {
  const jar = new Map<string, string>()
  const twice = new Set<string>()
  for (const part of header.split(";")) {
    const at = part.indexOf("=")
    if (at < 0) continue
    const name = part.slice(0, at).trim()
    if (jar.has(name)) twice.add(name)
    jar.set(name, part.slice(at + 1).trim())
  }
  for (const name of twice) jar.delete(name)
  return jar
}

/**
 * C12: the same cookies for a page that may use them. What a page of another origin makes the browser send bears an `Origin`
 * that is not on the list, or lacks the header that needs a preflight.
 */
function guardedCookies(
  request: HttpRequest,
  cookies: Cookies,
  origins: { own: string | null; allowed: readonly string[] },
): Cookies {
  function check(): void {
    const origin = request.header("origin")
    const site = request.header("sec-fetch-site")
    // Of a fetch that the page's own server gets, the browser says so itself, whatever a proxy makes of the host's name.
    const own = site === "same-origin" || (origin !== undefined && origin === origins.own)
    const listed = origin !== undefined && origins.allowed.includes(origin)
    if ((own || listed) && request.header("pkce-protocol") === "1") return
    throw new PkceError("origin_not_allowed", { reason: "cookie_refused" })
  }
  return {
    ...cookies,
    check,
    get(name) {
      check()
      return cookies.get(name)
    },
    set(name, value, seconds) {
      check()
      cookies.set(name, value, seconds)
    },
  }
}

/** The cookies of the session routes. */
export function sessionCookies(request: HttpRequest, { url, allowedOrigins }: Config): Cookies {
  const own = url === null ? null : new URL(url).origin
  const cookies = createCookies(request, !url?.startsWith("http:"))
  return guardedCookies(request, cookies, { own, allowed: allowedOrigins })
}
