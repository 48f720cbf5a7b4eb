import { resolve } from "node:path"
import { type Environment, readFlag } from "../config/environment.js"
import type { Report } from "../config/faults.js"
import { type ServeVariable, variable } from "./variables.js"

/** Where the sessions are: what `PKCE_STORE` says. */
export type StorePlace =
  | { kind: "memory" }
  | { kind: "sqlite"; path: string }
  | { kind: "postgres" | "redis"; url: string }

export interface Settings {
  port: number
  host: string
  store: StorePlace
  /** Proxies in front of the process, each of which adds an address to `X-Forwarded-For`. */
  proxies: number
  log: boolean
  backgroundRefresh: boolean
}

const FORMS = "sqlite:/data/auth.db, postgres://..., redis://..., or, for a first try, memory"

/** What `serve` reads beside the options. A value that is wrong is reported, and its default is taken. */
export function readSettings(environment: Environment, report: Report): Settings {
  const whole = (name: ServeVariable, most: number, mend: string): number => {
    const text = variable(environment, name)
    const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
    if (value <= most) return value
    report.fault(name, `is not a whole number of at most ${most}`, mend)
    return 0
  }
  const flag = (name: ServeVariable): boolean => {
    const value = readFlag(variable(environment, name))
    if (typeof value !== "boolean") report.fault(name, "is not true or false", "Give true or false.")
    return value === true
  }
  return {
    port: whole(
      "PKCE_PORT",
      65_535,
      "Give a port. In Kubernetes a service with the name pkce sets this variable: set it in the pod, too.",
    ),
    host: variable(environment, "PKCE_HOST"),
    store: readStore(variable(environment, "PKCE_STORE"), report),
    proxies: whole("PKCE_TRUST_PROXY", 16, "Give the number of proxies in front."),
    log: flag("PKCE_LOG"),
    backgroundRefresh: flag("PKCE_BACKGROUND_REFRESH"),
  }
}

function readStore(text: string, report: Report): StorePlace {
  const [, scheme = ""] = /^([a-z]+)(?::|$)/.exec(text) ?? []
  if (text === "memory") return { kind: "memory" }
  if (scheme === "sqlite") return { kind: "sqlite", path: readPath(text.slice(7), report) }
  if (/^(postgres|postgresql|redis|rediss):\/\/./.test(text) && URL.canParse(text))
    return { kind: scheme.startsWith("postgres") ? "postgres" : "redis", url: text }
  report.fault("PKCE_STORE", text ? "is none of the stores" : "is not set", `Set it to ${FORMS}.`)
  return { kind: "memory" }
}

function readPath(text: string, report: Report): string {
  const path = text.replace(/^\/\/(?=\/)/, "")
  if (path === "" || path === ":memory:")
    report.fault("PKCE_STORE", "names no file", "Write it as sqlite:/data/auth.db.")
  return resolve(path)
}
