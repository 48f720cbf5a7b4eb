import type { Report } from "./faults.js"
import type { HostedOptions, PkceServerOptions, ProviderOptions, SessionOptions } from "./options.js"

export type Environment = Readonly<Record<string, string | undefined>>

type Kind = "text" | "list" | "flag" | "seconds" | "rate" | "section"

/**
 * The environment variables and the options they stand for. Lists are separated by spaces or commas, flags are `true`
 * or `false`, durations are whole seconds, a rate is `10/20` (per minute, and at once) or `false`. A section is a flag too:
 * what stands below it counts only where it is `true`. The reference in the documentation is made from this table.
 */
export const ENVIRONMENT = {
  PKCE_ISSUER: ["issuer", "text"],
  PKCE_METADATA_URL: ["metadataUrl", "text"],
  PKCE_CLIENT_ID: ["clientId", "text"],
  PKCE_CLIENT_SECRET: ["clientSecret", "text"],
  PKCE_CLIENT_AUTHENTICATION: ["clientAuthentication", "text"],
  PKCE_REDIRECT_URIS: ["redirectUris", "list"],
  PKCE_SCOPE: ["scope", "text"],
  PKCE_AUDIENCE: ["audience", "text"],
  PKCE_ORGANIZATION: ["organization", "text"],
  PKCE_CONNECTION: ["connection", "text"],
  PKCE_ID_TOKEN_ALGORITHMS: ["idTokenAlgorithms", "list"],
  PKCE_NONCE: ["nonce", "text"],
  PKCE_FETCH_USERINFO: ["fetchUserinfo", "flag"],
  PKCE_URL: ["url", "text"],
  PKCE_BASE_PATH: ["basePath", "text"],
  PKCE_SECRET: ["secrets", "list"],
  PKCE_SECRETS: ["secrets", "list"],
  PKCE_RETIRED_KIDS: ["retiredKids", "list"],
  PKCE_ALLOWED_ORIGINS: ["allowedOrigins", "list"],
  PKCE_POST_LOGOUT_REDIRECT_URIS: ["postLogoutRedirectUris", "list"],
  PKCE_HOSTED: ["hosted", "section"],
  PKCE_HOSTED_POLL: ["hosted.poll", "flag"],
  PKCE_HOSTED_ORIGINS: ["hosted.origins", "list"],
  PKCE_HOSTED_NAME: ["hosted.name", "text"],
  PKCE_HOSTED_COLOR: ["hosted.color", "text"],
  PKCE_RATE_LIMIT: ["rateLimit", "rate"],
  PKCE_ON_PROVIDER_GRANT_REVOKED: ["onProviderGrantRevoked", "text"],
  PKCE_SESSION_ALGORITHM: ["session.algorithm", "text"],
  PKCE_SESSION_AUDIENCE: ["session.audience", "text"],
  PKCE_SESSION_CLAIMS: ["session.claims", "list"],
  PKCE_SESSION_TOKEN_LIFETIME: ["session.tokenLifetime", "seconds"],
  PKCE_SESSION_IDLE_LIFETIME: ["session.idleLifetime", "seconds"],
  PKCE_SESSION_ABSOLUTE_LIFETIME: ["session.absoluteLifetime", "seconds"],
  PKCE_ALLOW_MEMORY_STORE: ["allowMemoryStore", "flag"],
  PKCE_ALLOW_LOOPBACK_HTTP: ["allowLoopbackHttp", "flag"],
  PKCE_ALLOW_PRIVATE_IDP: ["allowPrivateIdp", "flag"],
} as const satisfies Record<string, readonly [option: OptionPath, Kind]>

type OptionPath =
  | keyof PkceServerOptions
  | keyof ProviderOptions
  | `session.${keyof SessionOptions}`
  | `hosted.${keyof HostedOptions}`

/** The process's environment, or nothing where there is no process (Workers, browsers). */
export const processEnvironment = (): Environment =>
  (globalThis as { process?: { env?: Environment } }).process?.env ?? {}

/** The options that the environment spells. Values that cannot be read are kept as they are, for the shape check to name. */
export function optionsFromEnvironment(environment: Environment): PkceServerOptions {
  const options: Record<string, unknown> = {}
  for (const [name, [option, kind]] of Object.entries(ENVIRONMENT)) {
    const value = environment[name]
    if (value === undefined || value === "" || kind === "section") continue
    const [first = "", member] = option.split(".")
    if (member === undefined) options[first] = read(value, kind)
    else options[first] = { ...(options[first] as object), [member]: read(value, kind) }
  }
  // PKCE_SECRETS overwrites PKCE_SECRET above; checkEnvironment refuses the two together.
  if (readFlag(environment.PKCE_HOSTED) === true) options.hosted ??= {}
  else delete options.hosted
  return options
}

/** Reports variables that contradict each other, or that nothing would heed. */
export function checkEnvironment(environment: Environment, report: Report): void {
  if (environment.PKCE_SECRET && environment.PKCE_SECRETS)
    report.fault("PKCE_SECRETS", "stands beside PKCE_SECRET", "Keep PKCE_SECRETS, newest first.")
  const hosted = readFlag(environment.PKCE_HOSTED || undefined)
  if (typeof hosted === "boolean") return
  if (hosted !== undefined) report.fault("PKCE_HOSTED", "is not true or false", "Give true or false.")
  for (const [name, [option]] of Object.entries(ENVIRONMENT)) {
    if (hosted === undefined && option.startsWith("hosted.") && environment[name])
      report.fault(name, "stands without PKCE_HOSTED", "Set PKCE_HOSTED=true, or remove it.")
  }
}

function read(value: string, kind: Kind): unknown {
  if (kind === "list") return value.split(/[\s,]+/).filter((part) => part !== "")
  if (kind === "flag") return readFlag(value)
  if (kind === "seconds") return /^\d{1,12}$/.test(value) ? Number(value) : value
  if (kind === "rate") {
    const [, perMinute, burst] = /^(\d{1,6})\/(\d{1,6})$/.exec(value) ?? []
    if (perMinute) return { perMinute: Number(perMinute), burst: Number(burst) }
    return value === "false" ? false : value
  }
  return value
}

/** True or false; a value that is neither stays as it is. */
export function readFlag(value: string | undefined): boolean | string | undefined {
  if (value === "true" || value === "1") return true
  return value === "false" || value === "0" ? false : value
}
