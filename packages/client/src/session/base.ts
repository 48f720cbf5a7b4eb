import { PkceError } from "../errors.js"
import { secureOriginOf } from "../pkce/url.js"
import type { Platform } from "../platforms/ports.js"

/** The URL, if nobody on the way can read along. */
export function secure(url: string): string {
  if (!secureOriginOf(url) || url.includes("?")) throw new PkceError("insecure_endpoint", "configure")
  return url
}

/** The mount's URL without a trailing slash. A path is resolved in the browser only. */
export function baseOf(server: string, platform: Platform): () => string {
  const isPath = /^\/(?![/\\])/.test(server)
  const base = () => secure(((isPath && platform.origin?.()) || "") + server.replace(/\/+$/, ""))
  if (!isPath) base()
  return base
}
