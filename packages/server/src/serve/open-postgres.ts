import { migrate, type PostgresPool, postgresStore } from "../stores/postgres.js"
import type { Driver } from "./drivers.js"
import { codeOf, type Log } from "./log.js"
import type { OpenStore } from "./open-store.js"

/** Milliseconds between two attempts to make the tables. */
const PAUSE = 1000

/** `insufficient_privilege`: the tables are made by somebody else's migrations. */
const NOT_OURS = "42501"

interface Pool extends PostgresPool {
  on(event: "error", listener: (error: Error) => void): unknown
  end(): Promise<void>
}

/** Our own words, which name no value. Another process may be about to mend it, so this one waits, and is not ready. */
const isOtherVersion = (error: unknown): error is Error =>
  error instanceof Error && error.message.startsWith("The tables of @pkce/server")

/** The tables are made as soon as the database answers; until then the process is not ready. */
export function openPostgres(url: string, { module }: Driver, log: Log): OpenStore {
  const { Pool: PoolOf } = module.default as { Pool: new (options: object) => Pool }
  const pool = new PoolOf({ connectionString: url, connectionTimeoutMillis: 2000, keepAlive: true })
  pool.on("error", (error) => log.trouble("serve.store_connection_failed", error))
  let prepared = false
  let timer: ReturnType<typeof setTimeout> | undefined

  async function prepare(): Promise<void> {
    try {
      await migrate(pool)
      prepared = true
    } catch (error) {
      if (codeOf(error) === NOT_OURS) {
        prepared = true
        log.warn("PKCE_STORE: this user may not make tables, so they are expected to be there")
        return
      }
      if (isOtherVersion(error)) log.warn(error.message)
      else log.trouble("serve.store_not_prepared", error)
      timer = setTimeout(prepare, PAUSE)
    }
  }
  void prepare()

  return {
    store: postgresStore(pool),
    prepared: () => prepared,
    async close() {
      clearTimeout(timer)
      await pool.end()
    },
  }
}
