import { ConfigurationError } from "../config/faults.js"
import type { Store } from "../stores/contract.js"
import { memoryStore } from "../stores/memory.js"
import { type IoredisClient, type NodeRedisClient, redisStore } from "../stores/redis.js"
import { type SqliteDatabase, sqliteStore } from "../stores/sqlite.js"
import type { Driver } from "./drivers.js"
import { codeOf, type Log } from "./log.js"
import { openPostgres } from "./open-postgres.js"
import type { StorePlace } from "./settings.js"

/** Milliseconds after which a connection to Redis that has fallen silent is made anew. */
const SILENCE = 5_000

export interface OpenStore {
  store: Store
  /** Whether the tables are there, as far as this process has to make them. */
  prepared(): boolean
  /** Closes the connections, which a store leaves to whoever opened them. */
  close(): Promise<void> | void
}

/**
 * Opens the store. A database on the network need not answer yet: the process serves, is not ready, and answers 503 until it
 * does.
 *
 * @throws ConfigurationError where a file cannot be opened
 */
export function openStore(place: StorePlace, driver: Driver | null, log: Log): OpenStore {
  if (place.kind === "memory" || driver === null)
    return { store: memoryStore(), prepared: () => true, close: () => undefined }
  if (place.kind === "sqlite") return openSqlite(place.path, driver)
  return place.kind === "postgres" ? openPostgres(place.url, driver, log) : openRedis(place.url, driver, log)
}

interface SqliteFile extends SqliteDatabase {
  close(): unknown
}

function openSqlite(path: string, { name, module }: Driver): OpenStore {
  const Database = (name === "node:sqlite" ? module.DatabaseSync : module.default) as new (
    path: string,
  ) => SqliteFile
  try {
    const database = new Database(path)
    return { store: sqliteStore(database), prepared: () => true, close: () => void database.close() }
  } catch (error) {
    throw new ConfigurationError([
      {
        option: "PKCE_STORE",
        problem: `names a file that cannot be used (${codeOf(error)})`,
        mend: "Does its folder exist, may this user write there, and is it a database of this version?",
      },
    ])
  }
}

interface Client {
  on(event: "error", listener: (error: Error) => void): unknown
}

function openRedis(url: string, { name, module }: Driver, log: Log): OpenStore {
  const tell = (error: Error) => log.trouble("serve.store_connection_failed", error)
  const options = { onWarning: log.warn }
  if (name === "ioredis") {
    const Redis = module.default as new (
      url: string,
      options: object,
    ) => IoredisClient & Client & { disconnect(): void }
    // A command that meets a lost connection fails at once, rather than wait for twenty attempts: the answer is 503.
    // One that has fallen silent is made anew, and not waited for until the system notices.
    const client = new Redis(url, { maxRetriesPerRequest: 1, connectTimeout: 2000, socketTimeout: SILENCE })
    client.on("error", tell)
    return { store: redisStore(client, options), prepared: () => true, close: () => client.disconnect() }
  }
  const { createClient } = module as { createClient: (options: object) => NodeRedis }
  const client = createClient({ url, commandsQueueMaxLength: 1000, socket: { connectTimeout: 2000 } })
  client.on("error", tell)
  // It connects again by itself; what it says meanwhile has been told.
  client.connect().catch(() => undefined)
  const store = redisStore(givenUpWhenSilent(client, tell), options)
  return { store, prepared: () => true, close: () => client.destroy() }
}

type NodeRedis = NodeRedisClient &
  Client & {
    readonly isReady: boolean
    connect(): Promise<unknown>
    destroy(): void
  }

/**
 * The client, whose connection is made anew when it has owed an answer for so long. node-redis has no limit for that: its
 * `timeout` of a command ends when that is sent, and its `socketTimeout` begins anew at each write.
 */
function givenUpWhenSilent(client: NodeRedis, tell: (error: Error) => void): NodeRedisClient {
  function giveUp(): void {
    // One that is being made anew already is not disturbed.
    if (!client.isReady) return
    tell(Object.assign(new Error("the connection has fallen silent"), { code: "ETIMEDOUT" }))
    client.destroy()
    client.connect().catch(() => undefined)
  }
  return {
    on: (event, listener) => client.on(event, listener),
    off: (event, listener) => client.off(event, listener),
    duplicate: () => client.duplicate(),
    async sendCommand(args, more) {
      const timer = setTimeout(giveUp, SILENCE)
      try {
        return await client.sendCommand(args, more)
      } finally {
        clearTimeout(timer)
      }
    },
  }
}
