import type { Store } from "../../src/stores/contract.js"

/** Where the store under test is, as text that can be handed to a process. */
export type Place =
  | { kind: "sqlite"; path: string }
  | { kind: "redis"; url: string; prefix: string }
  | { kind: "postgres"; url: string; schema: string }

export interface OpenStore {
  store: Store
  close(): Promise<void>
}

/**
 * The store at that place, on connections of this process that come back by themselves. Loads no other driver. `now` is the
 * store's clock in milliseconds, where it is not to be its own.
 */
export async function openStore(place: Place, now?: () => number): Promise<OpenStore> {
  const clock = now && { now }
  if (place.kind === "sqlite") {
    const { default: Database } = await import("libsql")
    const { sqliteStore } = await import("../../src/stores/sqlite.js")
    const database = new Database(place.path)
    return { store: sqliteStore(database, clock), close: async () => void database.close() }
  }
  if (place.kind === "redis") {
    const { Redis } = await import("ioredis")
    const { redisStore } = await import("../../src/stores/redis.js")
    const soon = { retryStrategy: () => 50, maxRetriesPerRequest: 1, connectTimeout: 1000 }
    const client = new Redis(place.url, soon)
    client.on("error", () => undefined)
    const store = redisStore(client, { prefix: place.prefix, ...clock })
    return { store, close: async () => client.disconnect() }
  }
  const { default: pg } = await import("pg")
  const { postgresStore } = await import("../../src/stores/postgres.js")
  const { url, schema } = place
  const named = { connectionString: url, application_name: schema, max: 4, connectionTimeoutMillis: 1000 }
  const pool = new pg.Pool(named)
  pool.on("error", () => undefined)
  return { store: postgresStore(pool, { schema, ...clock }), close: () => pool.end() }
}
