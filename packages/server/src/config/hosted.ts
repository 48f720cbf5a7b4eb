import type { HostedConfig } from "./config.js"
import type { Report } from "./faults.js"
import type { PkceServerOptions } from "./options.js"
import { checkOrigin } from "./uris.js"

/** The hosted login, or `null` where it is not offered. */
export function readHosted({ hosted, url }: PkceServerOptions, report: Report): HostedConfig | null {
  if (hosted === undefined) return null
  hosted.origins?.forEach((origin, index) => {
    checkOrigin(`hosted.origins[${index}]`, origin, report)
  })
  if (url === undefined) {
    report.fault("url", "is missing, and hosted needs it", "Give the public URL of the mount.")
    return null
  }
  return {
    url,
    deliveries: hosted.poll ? ["redirect", "webview", "poll"] : ["redirect", "webview"],
    origins: hosted.origins ?? [],
    name: hosted.name ?? null,
    color: hosted.color ?? null,
    strings: hosted.strings ?? {},
  }
}
