import { createRequire, isBuiltin } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import type { Report } from "../config/faults.js"
import { codeOf } from "./log.js"
import type { StorePlace } from "./settings.js"

/** The drivers of each kind of store, the best one first: its name is what the mend tells to install. */
const DRIVERS = {
  memory: [],
  sqlite: ["libsql", "better-sqlite3", "node:sqlite"],
  postgres: ["pg"],
  redis: ["ioredis", "redis"],
} as const satisfies Record<StorePlace["kind"], readonly string[]>

export interface Driver {
  name: string
  /** What the module exports. */
  module: Readonly<Record<string, unknown>>
}

/** The driver of the store, which is no dependency of ours: whichever is installed. `null` where none is needed, or found. */
export async function findDriver(kind: StorePlace["kind"], report: Report): Promise<Driver | null> {
  if (kind === "memory") return null
  let problem = "needs a driver, and none is installed"
  for (const name of DRIVERS[kind]) {
    const place = locate(name)
    if (place === null) continue
    try {
      return { name, module: (await import(place)) as Driver["module"] }
    } catch (error) {
      problem = `has the driver ${name}, which does not load (${codeOf(error)})`
    }
  }
  const [best] = DRIVERS[kind]
  const mend = `Install one: npm install ${best}. Without a project: npx -p @pkce/server -p ${best} pkce-server serve`
  report.fault("PKCE_STORE", problem, mend)
  return null
}

/** Beside this package; or in the project that it was started in, where a strict package manager hides it from us. */
function locate(name: string): string | null {
  if (name.startsWith("node:")) return isBuiltin(name) ? name : null
  for (const from of [import.meta.url, join(process.cwd(), "package.json")]) {
    try {
      return pathToFileURL(createRequire(from).resolve(name)).href
    } catch {
      // Not from there.
    }
  }
  return null
}
