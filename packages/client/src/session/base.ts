import { PkceError } from "../errors.js"
import { secureOriginOf } from "../pkce/url.js"
import type { Platform } from "../platforms/ports.js"

/** The origin of a URL that nobody on the way can read along. */
export function secure(url: string): string {
  const origin = secureOriginOf(url)
  if (!origin || url.includes("?")) throw new PkceError("insecure_endpoint", "configure")
  return origin
}

/** The mount's URL without a trailing slash. A path is resolved in the browser only. */
export function baseOf(server: string, platform: Platform): () => string {
  const isPath = /^\/(?![/\\])/.test(server)
  const base = () => {
    const url = ((isPath && platform.origin?.()) || "") + server.replace(/\/+$/, "")
    secure(url)
    return url
  }
  if (!isPath) base()
  return base
}
