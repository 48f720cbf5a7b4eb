import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Redis } from "ioredis"
import Database from "libsql"
import pg from "pg"
import type { Advance, Store } from "../packages/server/src/stores/contract.js"
import { migrate, postgresStore } from "../packages/server/src/stores/postgres.js"
import { prepareTexts } from "../packages/server/src/stores/postgres-statements.js"
import { redisStore } from "../packages/server/src/stores/redis.js"
import { SCRIPTS } from "../packages/server/src/stores/redis-scripts.js"
import { type SqliteDatabase, sqliteStore } from "../packages/server/src/stores/sqlite.js"
import { findPostgres, ownName, startRedis } from "../packages/server/test/support/services.js"

/** An empty store in a place of its own. */
export interface Place {
  store: Store
  /** Runs `work` on a store of the same rows, which is filled faster than commits allow, and leaves nothing to be tidied. */
  filled<T>(work: (store: Store) => Promise<T>): Promise<T>
  /** The very statement of `store.advance`, straight on the driver. Its parameters are made here, and not when it is called. */
  bare(step: Advance): () => unknown
  /** Bytes that the sessions and their indexes take. */
  bytes(): Promise<number>
  close(): Promise<void>
}

/** Each gives a new place, or `null` where no server is to be had. */
export const PLACES = { SQLite: openSqlite, PostgreSQL: openPostgres, Redis: openRedis }

async function openSqlite(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), "pkce-bench-"))
  const path = join(folder, "auth.db")
  const database = new Database(path)
  // The statement is not exported: it is heard on its way to the driver.
  let text = ""
  const heard: SqliteDatabase = {
    exec: (sql) => database.exec(sql),
    prepare(sql) {
      if (sql.includes("substr(history")) text = sql
      return database.prepare(sql)
    },
  }
  const store = sqliteStore(heard)
  const advance = database.prepare(text)
  return {
    store,
    async filled(work) {
      database.exec("BEGIN")
      const made = await work(store)
      database.exec("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")
      return made
    },
    bare({ sid, expect, next, history, idleSeconds }) {
      const offset = (next.gen % 32) * 8
      const ring = [offset, markOf(history), offset + 9]
      const values = [next.gen, next.cur, idleSeconds, ...ring, sid, expect.gen, expect.cur]
      return () => advance.get(...values)
    },
    async bytes() {
      database.exec("PRAGMA wal_checkpoint(TRUNCATE)")
      return statSync(path).size
    },
    async close() {
      database.close()
      rmSync(folder, { recursive: true })
    },
  }
}

async function openPostgres(): Promise<Place | null> {
  const service = await findPostgres()
  if (!service) return null
  const schema = ownName()
  const pool = new pg.Pool({ connectionString: service.url })
  await pool.query(`CREATE SCHEMA ${schema}`)
  await migrate(pool, { schema })
  const text = prepareTexts(`"${schema}".`)("advanceMark")
  return {
    store: postgresStore(pool, { schema }),
    async filled(work) {
      const quick = new pg.Pool({ connectionString: service.url, options: "-c synchronous_commit=off" })
      const made = await work(postgresStore(quick, { schema }))
      await quick.end()
      // What autovacuum would do some time or other, in the middle of a measurement.
      await pool.query(`VACUUM ANALYZE ${schema}.pkce_sessions`)
      await pool.query("CHECKPOINT")
      return made
    },
    bare({ sid, expect, next, history, idleSeconds }) {
      const step = [sid, expect.gen, expect.cur, next.gen, next.cur, idleSeconds]
      const values = [...step, markOf(history), (next.gen % 32) * 8 + 1]
      return () => pool.query({ text, values })
    },
    async bytes() {
      const size = `SELECT pg_total_relation_size('${schema}.pkce_sessions') AS bytes`
      return Number((await pool.query(size)).rows[0].bytes)
    },
    async close() {
      await pool.query(`DROP SCHEMA ${schema} CASCADE`)
      await pool.end()
      await service.close()
    },
  }
}

/** Always a server of its own: what another one holds would be counted too. */
async function openRedis(): Promise<Place | null> {
  const server = await startRedis()
  if (!server) return null
  const client = new Redis(server.url)
  await client.script("LOAD", SCRIPTS.advance.text)
  return {
    store: redisStore(client),
    async filled(work) {
      // The buffers of a busy connection go with it.
      const busy = new Redis(server.url)
      const made = await work(redisStore(busy))
      await busy.quit()
      return made
    },
    bare({ sid, expect, next, history, idleSeconds }) {
      const step = [expect.gen, Buffer.from(expect.cur), next.gen, Buffer.from(next.cur), idleSeconds]
      const values = ["", ...step, Buffer.from(markOf(history)), (next.gen % 32) * 8]
      const texts = values.map((value) => (typeof value === "number" ? String(value) : value))
      return () => client.callBuffer("EVALSHA", SCRIPTS.advance.sha1, "1", `pkce:s:{${sid}}`, ...texts)
    },
    async bytes() {
      return Number(/^used_memory:(\d+)/m.exec(await client.info("memory"))?.[1])
    },
    async close() {
      client.disconnect()
      await server.close()
    },
  }
}

function markOf(history: Advance["history"]): Uint8Array {
  if ("ring" in history) throw new Error("a forward move")
  return history.mark
}
