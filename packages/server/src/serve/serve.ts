import { type Environment, readFlag } from "../config/environment.js"
import { ConfigurationError } from "../config/faults.js"
import { nodeAuth } from "../mounts/node.js"
import { serverOf } from "../server.js"
import { configure } from "./configure.js"
import { createListener, type Listener } from "./listener.js"
import { codeOf, createLog } from "./log.js"
import { openStore } from "./open-store.js"
import { addressBehind } from "./proxies.js"
import { createReadiness } from "./readiness.js"
import type { Settings } from "./settings.js"
import { endProcessWell } from "./stop.js"
import { variable } from "./variables.js"

/**
 * Serves until a signal comes.
 *
 * @throws ConfigurationError with every fault, before anything listens
 */
export async function serve(environment: Environment): Promise<void> {
  const log = createLog(readFlag(variable(environment, "PKCE_LOG")) !== false)
  const { settings, config, driver } = await configure(environment, log)
  const opened = openStore(settings.store, driver, log)
  const auth = serverOf({ ...config, store: opened.store })
  const { basePath } = config
  const listener = createListener({
    basePath,
    handle: nodeAuth(auth, { path: basePath, clientAddress: addressBehind(settings.proxies) }),
    ready: createReadiness(opened),
  })

  endProcessWell(async () => {
    // In this order: what is under way still needs the store, and `close` saves what a provider has just issued (R25).
    await listener.stop()
    await auth.close()
    await opened.close()
  }, log)

  const port = await listen(listener, settings, opened.close)
  log.say("serve.listening", { host: settings.host, port, path: basePath })
  if (settings.backgroundRefresh) auth.startBackgroundRefresh()
}

/** What the system says of a port or an address, as a fault of the configuration. */
async function listen(
  listener: Listener,
  { port, host }: Settings,
  close: () => Promise<void> | void,
): Promise<number> {
  try {
    return await listener.listen(port, host)
  } catch (error) {
    await close()
    const code = codeOf(error)
    const [option, problem] =
      code === "EADDRINUSE" ? ["PKCE_PORT", "is in use"] : ["PKCE_HOST", "cannot be listened at"]
    throw new ConfigurationError([
      { option, problem: `${problem} (${code})`, mend: "Give another one, or end the program that has it." },
    ])
  }
}
