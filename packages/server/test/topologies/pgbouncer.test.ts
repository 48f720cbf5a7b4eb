import pg from "pg"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { migrate, postgresStore } from "../../src/stores/postgres.js"
import { created, stepOf } from "../../src/testing/conformance/case.js"
import { storeConformance } from "../../src/testing/store-conformance.js"
import { createRig, requestOf } from "../support/line.js"
import { findPostgres, notRun, ownName } from "../support/services.js"
import { hearing, PATIENCE, persisted } from "./line-on-store.js"
import { POOL_SIZE, startPgBouncer } from "./pgbouncer.js"

const postgres = await findPostgres()
const bouncer = postgres && (await startPgBouncer(postgres.url))
const schema = ownName()

if (!bouncer) notRun("the store in PostgreSQL behind PgBouncer")

const pools: pg.Pool[] = []
function newPool(connectionString = bouncer?.url, settings: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ connectionString, application_name: schema, ...settings })
  pool.on("error", () => undefined)
  pools.push(pool)
  return pool
}

describe.runIf(bouncer)("PostgreSQL behind PgBouncer in transaction mode", { timeout: 60_000 }, () => {
  const pool = newPool()
  const direct = newPool(postgres?.url, { application_name: "test" })

  beforeAll(async () => {
    await direct.query(`CREATE SCHEMA ${schema}`)
    // As the processes of a deployment do, all at once.
    await Promise.all([
      migrate(pool, { schema }),
      migrate(newPool(), { schema }),
      migrate(newPool(), { schema }),
    ])
  })
  afterAll(async () => {
    await bouncer?.close()
    await direct.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)
    await Promise.all(pools.map((pool) => pool.end()))
    await postgres?.close()
  })

  describe("G10: the conformance kit", () => {
    let ms = 1_900_000_000_000
    const advanceClock = (seconds: number) => {
      ms += seconds * 1000
    }
    const store = postgresStore(pool, { schema, now: () => ms })
    for (const { name, run } of storeConformance(async () => ({ store, advanceClock }))) test(name, run)
  })

  test("many clients share its two connections: all cases at once, and every step is won once", async () => {
    const stores = Array.from({ length: 20 }, () => postgresStore(newPool(undefined, { max: 3 }), { schema }))
    let turn = 0
    const open = async () => ({ store: stores[turn++ % stores.length] ?? postgresStore(pool, { schema }) })
    const work = storeConformance(open).map(({ needsClock, run }) => (needsClock ? null : run()))
    let row = await created(postgresStore(pool, { schema }))
    for (let gen = 1; gen <= 5; gen++) {
      const steps = await Promise.all(stores.map((store, i) => store.advance(stepOf(row, i + 1))))
      const won = steps.flatMap((step) => (step.outcome === "advanced" ? [step.row] : []))
      expect(won.map((row) => row.gen)).toEqual([gen])
      row = won[0] ?? row
    }
    await Promise.all(work)
    expect((await direct.query(backends("pid"))).rows.length).toBeLessThanOrEqual(POOL_SIZE)
  })

  test("nothing of ours stays on a connection that others get next", async () => {
    const left = await onEach(async (client) => ({
      settings: (await client.query("SELECT name FROM pg_settings WHERE source = 'session'")).rows,
      prepared: (await client.query("SELECT name FROM pg_prepared_statements")).rows,
      locks: (await client.query(LOCKS)).rows,
      channels: (await client.query("SELECT pg_listening_channels()")).rows,
    }))
    for (const { settings, ...rest } of left) {
      expect(settings.map(({ name }) => name).filter((name) => !CARRIED.includes(name))).toEqual([])
      expect(rest).toEqual({ prepared: [], locks: [], channels: [] })
    }
  })

  describe("and nothing that others leave there matters", () => {
    const settings = `SET search_path = nowhere; SET bytea_output = escape; SET enable_indexscan = off;
      SET plan_cache_mode = force_generic_plan; SET transform_null_equals = on; PREPARE find AS SELECT 1`
    beforeAll(async () => {
      await direct.query(`TRUNCATE ${schema}.pkce_sessions, ${schema}.pkce_once`)
      await onEach((client) => client.query(settings))
    })
    afterAll(() => onEach((client) => client.query("RESET ALL; DEALLOCATE ALL")))

    const store = postgresStore(pool, { schema })
    for (const { name, needsClock, run } of storeConformance(async () => ({ store })))
      if (!needsClock) test(name, run)

    test("(it was there all the time)", async () => {
      const paths = await onEach(async (client) => (await client.query("SHOW search_path")).rows)
      expect(paths.flat()).toEqual(Array(POOL_SIZE).fill({ search_path: "nowhere" }))
    })
  })

  test("an ended session is heard of, by a connection past PgBouncer", async () => {
    const ending = postgresStore(pool, { schema })
    const listening = postgresStore(newPool(), { schema, listener })
    const stop = listening.onRevoked?.(() => undefined)
    await hearing(listening, ending)
    stop?.()
    await listening.close?.()
  })

  test("R11: its connections are terminated and it dies under load: nobody is logged out", async () => {
    const rig = createRig({ store: ({ now }) => postgresStore(pool, { schema, now }) })
    const holders = await Promise.all(Array.from({ length: 20 }, () => rig.login()))
    const failed = () => rig.events.filter(({ type }) => type === "store.failed").length
    const granted = () => rig.events.filter(({ type }) => type === "session.refreshed").length
    let striking = true
    const load = holders.map(async (holder) => {
      while (striking) expect((await persisted(rig, holder)).outcome).toBe("granted")
    })
    try {
      for (let strikes = 0; strikes < 5 || failed() === 0; strikes++) {
        await direct.query(backends("pg_terminate_backend(pid)"))
        const before = granted()
        await vi.waitFor(() => expect(granted()).toBeGreaterThan(before + 20), PATIENCE)
      }
      await bouncer?.kill()
      const [first] = holders
      if (first) await expect(rig.line.refresh(requestOf(first))).rejects.toMatchObject({ status: 503 })
      await bouncer?.start()
    } finally {
      striking = false
    }
    await Promise.all(load)
    for (const holder of holders) expect((await persisted(rig, holder)).outcome).toBe("granted")
    expect(rig.reuses).toEqual([])
  })
})

/** The settings that PgBouncer carries from client to client itself. */
const CARRIED = [
  "application_name",
  "client_encoding",
  "DateStyle",
  "standard_conforming_strings",
  "TimeZone",
]

const LOCKS = "SELECT 1 FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'"

/** PgBouncer's connections, which bear the name that their clients gave. */
const backends = (what: string) => `SELECT ${what} FROM pg_stat_activity WHERE application_name = '${schema}'`

async function listener(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: postgres?.url })
  await client.connect()
  return client
}

/** On each connection that PgBouncer has: whoever is in a transaction keeps the one that he got. */
async function onEach<T>(work: (client: pg.Client) => Promise<T>): Promise<T[]> {
  const clients = Array.from({ length: POOL_SIZE }, () => new pg.Client({ connectionString: bouncer?.url }))
  try {
    const pids = await Promise.all(
      clients.map(async (client) => {
        await client.connect()
        await client.query("BEGIN")
        return (await client.query("SELECT pg_backend_pid() AS pid")).rows[0].pid as number
      }),
    )
    expect(new Set(pids).size).toBe(POOL_SIZE)
    const results = await Promise.all(clients.map(work))
    await Promise.all(clients.map((client) => client.query("COMMIT")))
    return results
  } finally {
    await Promise.all(clients.map((client) => client.end()))
  }
}
