import { Redis } from "ioredis"
import Database from "libsql"
import pg from "pg"
import type { SessionRow, Store } from "../../src/stores/contract.js"
import { memoryStore } from "../../src/stores/memory.js"
import { migrate, postgresStore } from "../../src/stores/postgres.js"
import { redisStore } from "../../src/stores/redis.js"
import { sqliteStore } from "../../src/stores/sqlite.js"
import { findPostgres, findRedis, ownName } from "./services.js"

export type Clock = { now: () => number }

/** An adapter for the model, which wants a new, empty store for each story and for each rollback. */
export interface ModelStore {
  name: string
  runs: number
  store: (clock: Clock) => Store
  close(): Promise<void>
}

const factor = Number(process.env.MODEL_FACTOR ?? 1)
const nothing = async () => undefined

/** All adapters; `missing` names those for which there is no server. */
export async function modelStores(): Promise<{ stores: ModelStore[]; missing: string[] }> {
  const sqlite = (clock: Clock) => sqliteStore(new Database(":memory:"), clock)
  const servers = [await onPostgres(), await onRedis()]
  const stores = [
    { name: "memory", runs: 400 * factor, store: memoryStore, close: nothing },
    { name: "SQLite", runs: 150 * factor, store: sqlite, close: nothing },
    ...servers.flatMap((found) => found ?? []),
  ]
  return { stores, missing: ["PostgreSQL", "Redis"].filter((_, i) => servers[i] === null) }
}

async function onPostgres(): Promise<ModelStore | null> {
  const service = await findPostgres()
  if (!service) return null
  const schema = ownName()
  // What is tested here are the transitions; that they outlive a power cut is PostgreSQL's own affair.
  const options = "-c synchronous_commit=off"
  const pool = new pg.Pool({ connectionString: service.url, options, max: 2 })
  await pool.query(`CREATE SCHEMA ${schema}`)
  await migrate(pool, { schema })
  return {
    name: "PostgreSQL",
    runs: 100 * factor,
    store: fresh((now) => postgresStore(pool, { schema, now })),
    async close() {
      await pool.query(`DROP SCHEMA ${schema} CASCADE`)
      await pool.end()
      await service.close()
    },
  }
}

async function onRedis(): Promise<ModelStore | null> {
  const service = await findRedis()
  if (!service) return null
  const client = new Redis(service.url)
  const prefix = `${ownName()}:`
  return {
    name: "Redis",
    runs: 100 * factor,
    store: fresh((now) => redisStore(client, { prefix, now })),
    async close() {
      for await (const keys of client.scanStream({ match: `${prefix}*`, count: 1000 })) {
        if (keys.length > 0) await client.del(keys)
      }
      client.disconnect()
      await service.close()
    },
  }
}

/** Makes many empty stores of one: each knows its sessions by names of its own. They are used one after the other. */
function fresh(open: (now: () => number) => Store): (clock: Clock) => Store {
  let clock: Clock = Date
  let opened = 0
  const shared = open(() => clock.now())
  return (now) => {
    clock = now
    const name = `.${++opened}`
    const within = (sid: string) => sid + name
    const named = (row: SessionRow): SessionRow => ({ ...row, sid: row.sid.slice(0, -name.length) })
    return {
      ...shared,
      async create(session) {
        const result = await shared.create({ ...session, sid: within(session.sid) })
        return result.outcome === "late" ? result : { ...result, row: named(result.row) }
      },
      async advance(step) {
        const result = await shared.advance({ ...step, sid: within(step.sid) })
        return result.outcome === "missing" ? result : { ...result, row: named(result.row) }
      },
      async find(sid) {
        const { row, now } = await shared.find(within(sid))
        return { row: row && named(row), now }
      },
      revoke: (sid, reason) => shared.revoke(within(sid), reason),
    }
  }
}
