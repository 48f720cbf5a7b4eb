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
  for (const tag of Object.keys(hosted.strings ?? {}))
    if (!isLanguageTag(tag))
      report.fault(
        `hosted.strings.${tag}`,
        "is not a language tag",
        "Write it as browsers do (BCP 47): de, pt-BR, zh-Hant.",
      )
  // RFC 8628 section 5.4: it is the one delivery where the page, sent to somebody else, brings a stranger a session.
  if (hosted.poll)
    report.warn(
      "hosted.poll: a stranger can start a login and send your user its page; docs/hosted-login.md says where poll is safe",
    )
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

/** RFC 5646 has room for languages of five letters and more, and none has come: what is so long is a name, like `english`. */
function isLanguageTag(tag: string): boolean {
  try {
    return /^[a-z]{2,3}(?![^-])/i.test(tag) && Intl.getCanonicalLocales(tag).length === 1
  } catch {
    return false
  }
}
