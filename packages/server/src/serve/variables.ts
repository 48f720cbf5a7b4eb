import { ENVIRONMENT, type Environment } from "../config/environment.js"
import type { Report } from "../config/faults.js"

/** The variables that `serve` reads beside those of the options, and what holds where they are not set. */
export const SERVE_VARIABLES = {
  PKCE_STORE: null,
  PKCE_PORT: "8787",
  PKCE_HOST: "127.0.0.1",
  PKCE_TRUST_PROXY: "0",
  PKCE_LOG: "true",
  PKCE_BACKGROUND_REFRESH: "true",
  PKCE_SECRET_FILE: null,
  PKCE_CLIENT_SECRET_FILE: null,
  PKCE_STORE_FILE: null,
} as const satisfies Record<string, string | null>

export type ServeVariable = keyof typeof SERVE_VARIABLES

/** The variable, or what holds without it. An empty one is one that is not set. */
export const variable = (environment: Environment, name: ServeVariable): string =>
  environment[name] || SERVE_VARIABLES[name] || ""

/** A name that nothing reads is a typing error, and with it the option is not what somebody believes. */
export function warnOfUnknown(environment: Environment, report: Report): void {
  const known = [...Object.keys(ENVIRONMENT), ...Object.keys(SERVE_VARIABLES)]
  for (const name of Object.keys(environment)) {
    // Kubernetes sets PKCE_SERVICE_HOST, PKCE_PORT_8787_TCP and such for a service with the name `pkce`.
    if (!name.startsWith("PKCE_") || known.includes(name) || /_(SERVICE|PORT)_/.test(name)) continue
    report.warn(`${name} is not a variable that anything reads`)
  }
}
