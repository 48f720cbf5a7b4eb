import { memoryStore } from "../stores/memory.js"
import { adviseOnce } from "./advice.js"
import type { Config } from "./config.js"
import { checkEnvironment, ENVIRONMENT, type Environment, optionsFromEnvironment } from "./environment.js"
import { ConfigurationError, type Fault, type Report } from "./faults.js"
import { readHosted } from "./hosted.js"
import type { PkceServerOptions } from "./options.js"
import { readProviders } from "./providers.js"
import { checkShape } from "./schema.js"
import { readSecrets } from "./secrets.js"
import { readSession } from "./session.js"
import { checkEndpoint, checkOrigin, checkRedirectUri } from "./uris.js"

/**
 * The configuration with every default applied, or one {@link ConfigurationError} with all faults.
 *
 * The environment gives what the options leave out, as long as they name no provider of their own: half a provider from
 * the code and half from the environment would be a login at the wrong place.
 */
export function resolveConfig(options: PkceServerOptions | undefined, environment: Environment): Config {
  const faults: Fault[] = []
  const warnings: string[] = []
  const report: Report = {
    fault: (option, problem, mend) =>
      void faults.push({ option, problem, mend: mend + variableText(option, options ?? {}) }),
    warn: (text) => void warnings.push(text),
  }
  const given = merge(options ?? {}, environment, report)
  if (!checkShape(given, report)) throw new ConfigurationError(faults)

  const production = environment.NODE_ENV === "production"
  const allowLoopbackHttp = given.allowLoopbackHttp ?? false
  checkSurroundings(given, environment, production, report)

  const secrets = readSecrets(given, report)
  const providers = readProviders(given, report)
  const url = given.url ?? null
  if (url !== null) checkUrl(url, allowLoopbackHttp, report)
  const session = readSession(given.session, url, report)
  given.allowedOrigins?.forEach((origin, index) => {
    checkOrigin(`allowedOrigins[${index}]`, origin, report)
  })
  given.postLogoutRedirectUris?.forEach((uri, index) => {
    checkRedirectUri(`postLogoutRedirectUris[${index}]`, uri, report)
  })
  const hosted = readHosted(given, report)
  const basePath = readBasePath(given, report)
  if (faults.length > 0) throw new ConfigurationError(faults)

  const onWarning = given.onWarning ?? ((text: string) => console.warn(`@pkce/server: ${text}`))
  for (const warning of new Set(warnings)) onWarning(warning)
  return {
    url,
    basePath,
    providers,
    secrets,
    retiredKids: given.retiredKids ?? [],
    keyProvider: given.keyProvider ?? null,
    store: given.store ?? memoryStore(),
    session,
    hosted,
    allowedOrigins: given.allowedOrigins ?? [],
    postLogoutRedirectUris: given.postLogoutRedirectUris ?? [],
    rateLimit: given.rateLimit === false ? null : (given.rateLimit ?? { perMinute: 10, burst: 20 }),
    clientAddress: given.clientAddress ?? (() => undefined),
    onEvent: given.onEvent ?? adviseOnce(onWarning),
    onReuse: given.onReuse ?? (() => undefined),
    onProviderGrantRevoked: given.onProviderGrantRevoked ?? "keep",
    openTelemetry: given.openTelemetry ?? null,
    onWarning,
    allowLoopbackHttp,
    allowPrivateIdp: given.allowPrivateIdp ?? false,
    production,
  }
}

function merge(options: PkceServerOptions, environment: Environment, report: Report): PkceServerOptions {
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw new ConfigurationError([
      { option: "options", problem: "is not an object", mend: "Pass an object." },
    ])
  if (!readsEnvironment(options)) return options
  checkEnvironment(environment, report)
  return { ...optionsFromEnvironment(environment), ...options }
}

const readsEnvironment = ({ issuer, providers }: PkceServerOptions) =>
  issuer === undefined && providers === undefined

/** Where the environment stands for what the code left out, a mend names the variable too. */
function variableText(option: string, options: PkceServerOptions): string {
  if (!readsEnvironment(options)) return ""
  const name = option.replace(/\[.*/, "")
  const variable = Object.entries(ENVIRONMENT).find(([, [stands]]) => stands === name)?.[0]
  const [first = ""] = name.split(".")
  return variable && !Object.hasOwn(options, first) ? ` (environment variable: ${variable})` : ""
}

function checkSurroundings(
  given: PkceServerOptions,
  environment: Environment,
  production: boolean,
  report: Report,
): void {
  if (given.store === undefined || given.store.kind === "memory") {
    if (production && !given.allowMemoryStore)
      report.fault(
        "store",
        "is the memory store, in production",
        "Give a store, for instance sqliteStore(...), or set allowMemoryStore: true.",
      )
    else report.warn("store: sessions are kept in memory and end with the process")
  }
  // D11
  if (environment.NODE_TLS_REJECT_UNAUTHORIZED === "0") {
    if (production)
      report.fault(
        "NODE_TLS_REJECT_UNAUTHORIZED",
        "is 0, in production",
        "Remove it: it accepts any certificate.",
      )
    else report.warn("NODE_TLS_REJECT_UNAUTHORIZED is 0: any certificate is accepted")
  }
  if (given.allowLoopbackHttp) {
    if (production) report.fault("allowLoopbackHttp", "is set, in production", "Remove it and use https.")
    else report.warn("allowLoopbackHttp: plain http to this machine is accepted")
  }
  if (given.allowPrivateIdp) report.warn("allowPrivateIdp: providers at private addresses are accepted")
  if (given.rateLimit === false) report.warn("rateLimit: false: failed requests are not limited here")
}

function checkUrl(url: string, allowLoopbackHttp: boolean, report: Report): void {
  checkEndpoint("url", url, allowLoopbackHttp, report)
  if (url.includes("?")) report.fault("url", "has a query", "Remove the part from ? on.")
  if (url.endsWith("/"))
    report.fault("url", "ends with a slash", "Remove the slash: this is the exact iss of session tokens.")
}

function readBasePath({ basePath, url }: PkceServerOptions, report: Report): string {
  if (basePath === undefined) {
    const path = url === undefined || !URL.canParse(url) ? "/auth" : new URL(url).pathname
    return path.replace(/\/$/, "")
  }
  if (basePath !== "" && (!basePath.startsWith("/") || basePath.endsWith("/") || /[?#*:]/.test(basePath)))
    report.fault("basePath", "is not a path", 'Write it as /auth, or "" for the root.')
  return basePath
}
