import { adviseOnce } from "../config/advice.js"
import type { Config } from "../config/config.js"
import type { Environment } from "../config/environment.js"
import { ConfigurationError, type Fault, type Report } from "../config/faults.js"
import { resolveConfig } from "../config/resolve.js"
import type { Store } from "../stores/contract.js"
import { memoryStore } from "../stores/memory.js"
import { type Driver, findDriver } from "./drivers.js"
import type { Log } from "./log.js"
import { withFiles } from "./secret-files.js"
import { readSettings, type Settings } from "./settings.js"
import { warnOfUnknown } from "./variables.js"

export interface Configured {
  settings: Settings
  config: Config
  /** Of the store; `null` for the memory store, which needs none. */
  driver: Driver | null
}

/**
 * The whole configuration from the environment, or one error with every fault. Nothing is opened for it: the store of the
 * configuration is a stand-in of the right kind.
 */
export async function configure(environment: Environment, log: Log): Promise<Configured> {
  const faults: Fault[] = []
  const report: Report = {
    fault: (option, problem, mend) => void faults.push({ option, problem, mend }),
    warn: log.warn,
  }
  const complete = withFiles(environment, report)
  const settings = readSettings(complete, report)
  warnOfUnknown(environment, report)
  const config = tryResolve(withAlgorithm(complete, report), settings, log, faults)
  const driver = await findDriver(settings.store.kind, report)
  if (config === null || faults.length > 0) throw new ConfigurationError(faults)
  return { settings, config, driver }
}

function tryResolve(environment: Environment, settings: Settings, log: Log, faults: Fault[]): Config | null {
  const advise = adviseOnce(log.warn, "the log has every event")
  // The fault of a store that is not set has been reported, and it is not a choice of the memory store.
  const kind = faults.some(({ option }) => option === "PKCE_STORE") ? "unknown" : settings.store.kind
  const store: Store = { ...memoryStore(), kind }
  const onEvent: Config["onEvent"] = (event) => {
    log.event(event)
    advise(event)
  }
  try {
    return resolveConfig({ store, onEvent, onWarning: log.warn }, environment)
  } catch (thrown) {
    if (!(thrown instanceof ConfigurationError)) throw thrown
    faults.push(...thrown.faults.map(inVariables))
    return null
  }
}

/** The mend of a store, for those who write no code. */
const inVariables = (fault: Fault): Fault =>
  fault.option === "store"
    ? {
        ...fault,
        option: "PKCE_STORE",
        mend: "Name another store, or set PKCE_ALLOW_MEMORY_STORE=true: sessions then end with the process.",
      }
    : fault

/** What stands beside is in another process: it verifies session tokens by a public key, which needs the issuer's URL. */
function withAlgorithm(environment: Environment, report: Report): Environment {
  if (environment.PKCE_SESSION_ALGORITHM) return environment
  if (environment.PKCE_URL) return { ...environment, PKCE_SESSION_ALGORITHM: "EdDSA" }
  report.warn("PKCE_URL is not set: no other program can verify a session token")
  return environment
}
