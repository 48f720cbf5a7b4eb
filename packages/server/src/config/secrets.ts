import type { Config } from "./config.js"
import type { Report } from "./faults.js"
import type { PkceServerOptions } from "./options.js"

const MEND = "Make one with: openssl rand -base64 32"
const MIN_BYTES = 32
const MIN_DISTINCT = 16

/** What the documentation prints where a secret belongs: public, so it protects nothing. */
export const SAMPLE_SECRETS: readonly string[] = [
  "c2FtcGxlLXNlY3JldC1mcm9tLXRoZS1kb2NzLTEyMzQ=",
  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
]

const WORDS =
  /password|changeme|change-me|change_me|my-?secret|your-?secret|super-?secret|example|replace-me/i

/** F9: the secrets, newest first; every one that is absent, weak, published or used twice is a fault. */
export function readSecrets(options: PkceServerOptions, report: Report): Config["secrets"] {
  const given = options.secrets ?? []
  if (given.length === 0) report.fault("secrets", "is missing", MEND)
  const others = new Map(clientSecrets(options))
  const read: Config["secrets"] = []
  given.forEach((entry, index) => {
    const option = `secrets[${index}]`
    const { secret, signFrom = 0 } = typeof entry === "object" ? entry : { secret: entry }
    if (secret === undefined || secret === "") {
      report.fault(option, "is undefined: is the environment variable set?", MEND)
      return
    }
    const weakness = weaknessOf(secret)
    if (weakness) report.fault(option, weakness, MEND)
    const twin = others.get(secret)
    if (twin) report.fault(option, `is the same value as ${twin}`, `Give each its own value. ${MEND}`)
    others.set(secret, option)
    read.push({ secret, signFrom })
  })
  if (given.length > 0 && read.length > 0 && read.every(({ signFrom }) => signFrom > Date.now() / 1000)) {
    report.fault(
      "secrets",
      "every one has a signFrom in the future",
      "Let one sign now: leave its signFrom out.",
    )
  }
  return read
}

function* clientSecrets(options: PkceServerOptions): Iterable<[string, string]> {
  const providers = [["", options] as const, ...Object.entries(options.providers ?? {})]
  for (const [id, provider] of providers) {
    const prefix = id ? `providers.${id}.` : ""
    if (provider.clientSecret) yield [provider.clientSecret, `${prefix}clientSecret`]
    for (const [name, client] of Object.entries(provider.clients ?? {}))
      if (client.clientSecret) yield [client.clientSecret, `${prefix}clients.${name}.clientSecret`]
  }
}

function weaknessOf(secret: string): string | null {
  if (SAMPLE_SECRETS.includes(secret)) return "is the sample value of the documentation"
  // Sixteen characters are all that hexadecimal has: it is judged by the bytes that it stands for.
  const bytes = /^(?:[0-9a-f]{2})+$/i.test(secret) ? fromHex(secret) : [...new TextEncoder().encode(secret)]
  if (bytes.length < MIN_BYTES) return `is shorter than ${MIN_BYTES} bytes`
  if (new Set(bytes).size < MIN_DISTINCT) return `has fewer than ${MIN_DISTINCT} distinct bytes`
  if (WORDS.test(secret)) return "contains a word, so it is not random"
  return null
}

const fromHex = (text: string) => (text.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16))
