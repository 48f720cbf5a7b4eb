import type { PkceServerOptions, ProviderOptions, SessionOptions } from "./options.js"

export type Environment = Readonly<Record<string, string | undefined>>

type Kind = "text" | "list" | "flag" | "seconds"

/**
 * The environment variables and the options they stand for. Lists are separated by spaces or commas, flags are `true`
 * or `false`, durations are whole seconds. The reference in the documentation is made from this table.
 */
export const ENVIRONMENT = {
  PKCE_ISSUER: ["issuer", "text"],
  PKCE_METADATA_URL: ["metadataUrl", "text"],
  PKCE_CLIENT_ID: ["clientId", "text"],
  PKCE_CLIENT_SECRET: ["clientSecret", "text"],
  PKCE_REDIRECT_URIS: ["redirectUris", "list"],
  PKCE_SCOPE: ["scope", "text"],
  PKCE_AUDIENCE: ["audience", "text"],
  PKCE_ORGANIZATION: ["organization", "text"],
  PKCE_CONNECTION: ["connection", "text"],
  PKCE_NONCE: ["nonce", "text"],
  PKCE_FETCH_USERINFO: ["fetchUserinfo", "flag"],
  PKCE_URL: ["url", "text"],
  PKCE_BASE_PATH: ["basePath", "text"],
  PKCE_SECRET: ["secrets", "list"],
  PKCE_SECRETS: ["secrets", "list"],
  PKCE_RETIRED_KIDS: ["retiredKids", "list"],
  PKCE_ALLOWED_ORIGINS: ["allowedOrigins", "list"],
  PKCE_POST_LOGOUT_REDIRECT_URIS: ["postLogoutRedirectUris", "list"],
  PKCE_SESSION_ALGORITHM: ["session.algorithm", "text"],
  PKCE_SESSION_AUDIENCE: ["session.audience", "text"],
  PKCE_SESSION_CLAIMS: ["session.claims", "list"],
  PKCE_SESSION_TOKEN_LIFETIME: ["session.tokenLifetime", "seconds"],
  PKCE_SESSION_IDLE_LIFETIME: ["session.idleLifetime", "seconds"],
  PKCE_SESSION_ABSOLUTE_LIFETIME: ["session.absoluteLifetime", "seconds"],
  PKCE_ALLOW_MEMORY_STORE: ["allowMemoryStore", "flag"],
  PKCE_ALLOW_LOOPBACK_HTTP: ["allowLoopbackHttp", "flag"],
  PKCE_ALLOW_PRIVATE_IDP: ["allowPrivateIdp", "flag"],
} as const satisfies Record<
  string,
  readonly [option: keyof PkceServerOptions | keyof ProviderOptions | `session.${keyof SessionOptions}`, Kind]
>

/** The process's environment, or nothing where there is no process (Workers, browsers). */
export const processEnvironment = (): Environment =>
  (globalThis as { process?: { env?: Environment } }).process?.env ?? {}

/** The options that the environment spells. Values that cannot be read are kept as they are, for the shape check to name. */
export function optionsFromEnvironment(environment: Environment): PkceServerOptions {
  const options: Record<string, unknown> = {}
  const session: Record<string, unknown> = {}
  for (const [name, [option, kind]] of Object.entries(ENVIRONMENT)) {
    const value = environment[name]
    if (value === undefined || value === "") continue
    const [target, key] = option.startsWith("session.") ? [session, option.slice(8)] : [options, option]
    target[key] = read(value, kind)
  }
  // PKCE_SECRETS overwrites PKCE_SECRET above; resolve.ts refuses the two together.
  if (Object.keys(session).length > 0) options.session = session
  return options
}

function read(value: string, kind: Kind): unknown {
  if (kind === "list") return value.split(/[\s,]+/).filter((part) => part !== "")
  if (kind === "flag")
    return value === "true" || value === "1" ? true : value === "false" || value === "0" ? false : value
  if (kind === "seconds") return /^\d{1,12}$/.test(value) ? Number(value) : value
  return value
}
