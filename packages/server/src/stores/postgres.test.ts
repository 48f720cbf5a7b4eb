import pg from "pg"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { findPostgres, notRun, ownName } from "../../test/support/services.js"
import { openGate } from "../../test/topologies/gate.js"
import { advanced, created, DAY, leased, newSession, sealOf, stepOf } from "../testing/conformance/case.js"
import { storeConformance } from "../testing/store-conformance.js"
import { migrate, type PostgresPool, postgresSchema, postgresStore } from "./postgres.js"
import { prepareTexts } from "./postgres-statements.js"
import { realistic } from "./realistic.fixture.js"

const service = await findPostgres()
const schema = ownName()

if (!service) notRun("the store in PostgreSQL")

function newPool(settings: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ connectionString: service?.url, ...settings })
  pool.on("error", () => undefined)
  return pool
}

describe.runIf(service)("the store in PostgreSQL", () => {
  const pool = newPool()
  beforeAll(async () => {
    await pool.query(`CREATE SCHEMA ${schema}`)
    await migrate(pool, { schema })
  })
  afterAll(async () => {
    await pool.query(`DROP SCHEMA ${schema} CASCADE`)
    await pool.end()
    await service?.close()
  })

  describe("G10: the conformance kit", () => {
    let ms = 1_900_000_000_000
    const advanceClock = (seconds: number) => {
      ms += seconds * 1000
    }
    const store = postgresStore(pool, { schema, now: () => ms })
    for (const { name, run } of storeConformance(async () => ({ store, advanceClock }))) test(name, run)
  })

  describe("G10: the conformance kit, by PostgreSQL's own clock", () => {
    const store = postgresStore(pool, { schema })
    for (const { name, needsClock, run } of storeConformance(async () => ({ store })))
      if (!needsClock) test(name, run)
  })

  test("a refresh is one statement, also a refused one, and none is prepared", async () => {
    const { logged, statements } = log(pool)
    const store = postgresStore(logged, { schema })
    const row = await created(store)
    statements.length = 0
    expect((await store.advance(stepOf(row, 1))).outcome).toBe("advanced")
    expect((await store.advance(stepOf(row, 1))).outcome).toBe("refused")
    expect((await store.advance(stepOf({ ...row, sid: "unknown" }, 1))).outcome).toBe("missing")
    expect(statements.map(({ keys }) => keys)).toEqual(
      Array.from({ length: 3 }, () => ["text", "values", "query_timeout"]),
    )
  })

  test("no statement leaves anything on the connection that it ran on", async () => {
    const one = newPool({ max: 1 })
    const store = postgresStore(one, { schema })
    const state = async () => ({
      settings: (await one.query("SELECT name, setting FROM pg_settings WHERE source = 'session'")).rows,
      prepared: (await one.query("SELECT name FROM pg_prepared_statements")).rows,
      locks: (
        await one.query("SELECT 1 FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'")
      ).rows,
      channels: (await one.query("SELECT pg_listening_channels()")).rows,
    })
    const before = await state()
    await migrate(one, { schema })
    const row = await created(store)
    await store.advance(stepOf(row, 1))
    await store.sealGrant(sealOf((await leased(store, row)).row))
    await store.due(60, 10)
    await store.scan(null, 10)
    await store.revoke(row.sid, "logout")
    expect(await state()).toEqual(before)
    expect(before).toMatchObject({ prepared: [], locks: [], channels: [] })
    await one.end()
  })

  test("G9: connections that have fallen silent are given up, and the pool makes new ones", async () => {
    const url = new URL(service?.url ?? "")
    const gate = await openGate(Number(url.port))
    url.host = `127.0.0.1:${gate.port}`
    const few = newPool({ connectionString: url.href, max: 2 })
    const store = postgresStore(few, { schema })
    const both = async () => {
      const results = await Promise.allSettled([created(store), created(store)])
      return results.map(({ status }) => status)
    }
    expect(await both()).toEqual(["fulfilled", "fulfilled"])
    gate.silence()
    expect(await both()).toEqual(["rejected", "rejected"])
    expect(await both()).toEqual(["fulfilled", "fulfilled"])
    await few.end()
    await gate.close()
  })

  test("F13: a step that waited for a lock is judged by the time at which it got it", async () => {
    const statements: Promise<unknown>[] = []
    const query: PostgresPool["query"] = (statement) => {
      const result = pool.query(statement)
      statements.push(result)
      return result
    }
    const store = postgresStore({ query }, { schema })
    const row = await created(store, { idleSeconds: 2 })
    await holding(pool, row.sid, async (client) => {
      // The store's deadline may pass first: what counts is what the statement does once it has the lock.
      store.advance(stepOf(row, 1)).catch(() => undefined)
      await vi.waitFor(async () => expect(await waiters(pool)).toBeGreaterThan(0), { timeout: 10_000 })
      const text = `SELECT pg_sleep_until(to_timestamp(idle_expires_at)) FROM ${schema}.pkce_sessions WHERE sid = $1`
      await client.query({ text, values: [row.sid] })
    })
    await Promise.all(statements)
    expect((await store.find(row.sid)).row).toEqual(row)
  })

  test("a lease that waited for another process takes the state which that one left", async () => {
    const store = postgresStore(pool, { schema })
    const row = await created(store)
    const waiting: ReturnType<typeof store.leaseGrant>[] = []
    await holding(pool, row.sid, async (client) => {
      waiting.push(store.leaseGrant(row.sid, { rev: 0, seconds: 60 }))
      await vi.waitFor(async () => expect(await waiters(pool)).toBeGreaterThan(0), { timeout: 10_000 })
      const text = `UPDATE ${schema}.pkce_sessions SET grant_state = 'retried', lease_number = 7 WHERE sid = $1`
      await client.query({ text, values: [row.sid] })
      await client.query("COMMIT")
    })
    expect(await waiting[0]).toMatchObject({
      outcome: "leased",
      before: "retried",
      row: { grantState: "retried", leaseNumber: 8 },
    })
  })

  test("two pools race for one generation after another, and each is won once", async () => {
    const pools = [newPool(), newPool()]
    const stores = pools.map((pool) => postgresStore(pool, { schema }))
    let row = await created(postgresStore(pool, { schema }))
    for (let gen = 1; gen <= 20; gen++) {
      const current = row
      const racing = stores.flatMap((store, i) =>
        [1, 2, 3].map((n) => store.advance(stepOf(current, 10 * i + n))),
      )
      const won = (await Promise.all(racing)).flatMap((result) =>
        result.outcome === "advanced" ? [result.row] : [],
      )
      expect(won.map((row) => row.gen)).toEqual([gen])
      row = won[0] ?? row
    }
    await Promise.all(pools.map((pool) => pool.end()))
  })

  test("R11: a backend that is terminated is an error once, and then it works", async () => {
    const application_name = ownName()
    const own = newPool({ application_name, max: 1 })
    const store = postgresStore(own, { schema })
    const row = await created(store)
    await holding(pool, row.sid, async () => {
      const refused = expect(store.advance(stepOf(row, 1))).rejects.toThrow(/terminat/i)
      await vi.waitFor(async () => expect(await waiters(pool)).toBeGreaterThan(0), { timeout: 10_000 })
      const text = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"
      await pool.query({ text, values: [application_name] })
      await refused
    })
    expect((await store.find(row.sid)).row).toEqual(row)
    expect((await store.advance(stepOf(row, 1))).outcome).toBe("advanced")
    await own.end()
  })

  test("R11: a statement that was rolled back for others' sake is repeated, three times and no more", async () => {
    const failing = (times: number, code: string) => {
      const { logged, statements } = log(pool)
      let left = times
      const query: PostgresPool["query"] = async (statement) => {
        const result = await logged.query(left > 0 ? { text: "SELECT 1" } : statement)
        if (left-- > 0) throw Object.assign(new Error("rolled back"), { code })
        return result
      }
      return { store: postgresStore({ query }, { schema }), statements }
    }
    const { sid } = await created(postgresStore(pool, { schema }))
    for (const code of ["40001", "40P01"]) {
      const { store, statements } = failing(3, code)
      expect((await store.find(sid)).row?.sid).toBe(sid)
      expect(statements.length).toBe(4)
    }
    const never = failing(9, "40001")
    await expect(never.store.find(sid)).rejects.toThrow("rolled back")
    expect(never.statements.length).toBe(4)
    const other = failing(1, "23505")
    await expect(other.store.find(sid)).rejects.toThrow("rolled back")
    expect(other.statements.length).toBe(1)
  })

  test("the store works where every transaction is serializable", async () => {
    const strict = newPool({ options: "-c default_transaction_isolation=serializable" })
    const store = postgresStore(strict, { schema })
    const row = await created(store)
    const results = await Promise.all([1, 2, 3, 4].map((fill) => store.advance(stepOf(row, fill))))
    expect(results.map(({ outcome }) => outcome).sort()).toEqual([
      "advanced",
      "refused",
      "refused",
      "refused",
    ])
    const leases = [1, 2, 3, 4].map(() => store.leaseGrant(row.sid, { rev: 0, seconds: 60 }))
    const outcomes = (await Promise.all(leases)).map(({ outcome }) => outcome)
    expect(outcomes.sort()).toEqual(["leased", "refused", "refused", "refused"])
    await strict.end()
  })

  test("no lookup reads the whole table", async () => {
    const row = await created(postgresStore(pool, { schema }))
    await multiply(row.sid)
    const { logged, statements } = log(pool)
    const counting = postgresStore(logged, { schema })
    await counting.create(newSession())
    await counting.create(newSession({ sid: row.sid }))
    const moved = await counting.advance(stepOf(row, 1))
    if (moved.outcome !== "advanced") throw new Error(moved.outcome)
    await counting.advance(stepOf(moved.row, 2, { history: { ring: new Uint8Array(256) } }))
    await counting.listByUser(row.sub)
    await counting.sealGrant(sealOf((await leased(counting, row)).row, { grant: new Uint8Array(9) }))
    expect((await counting.due(3600, 10)).rows.length).toBeGreaterThan(0)
    expect((await counting.scan("copy 5", 10)).rows.length).toBeGreaterThan(0)
    await counting.revoke(row.sid, "logout")
    await counting.revokeByUser(row.sub, "logout", "x")
    const ended = await counting.revokeByProviderSession(row.idpIss, "theirs 7", "logout")
    expect(ended).toEqual(["copy 7"])
    for (const value of ["x", "y"]) await counting.claim("code", schema, value, 60)
    await counting.settle("code", schema, "x", "y")
    await counting.release("code", schema, "z")
    await counting.take("code", schema)
    await counting.sweep(10)
    const plans = await Promise.all(
      statements.map(async ({ text, values }) => {
        const plan = await pool.query({ text: `EXPLAIN ${text}`, values })
        return { text, plan: plan.rows.map((row) => row["QUERY PLAN"]).join("\n") }
      }),
    )
    const texts = new Set(statements.map(({ text }) => text))
    expect(texts.size).toBe(NAMES.length)
    expect(NAMES.filter((name) => !texts.has(prepareTexts(`"${schema}".`)(name)))).toEqual([])
    for (const { plan } of plans) expect(plan).not.toContain("Seq Scan")
    const planOf = (name: (typeof NAMES)[number]) =>
      plans.find(({ text }) => text === prepareTexts(`"${schema}".`)(name))?.plan
    expect(planOf("due")).toContain("using pkce_sessions_due")
    expect(planOf("revokeByProviderSession")).toContain("pkce_sessions_idp")
    // Found by the index, and not only in its order.
    for (const name of ["sweepSessions", "sweepOnce"] as const) {
      expect(planOf(name)).toMatch(/Index Cond: \(\w*expires_at <=/)
    }
  })

  test("a refresh of a session, and a lease, change no index", async () => {
    const own = ownName()
    const client = await pool.connect()
    await client.query(`CREATE SCHEMA ${own}`)
    await migrate(client, { schema: own })
    await client.query("BEGIN")
    let ms = 1_900_000_000_000
    const store = postgresStore(client, { schema: own, now: () => (ms += 1000) })
    const small = { profile: new Uint8Array(9), grant: new Uint8Array(9) }
    let row = await created(store, { ...small, idpSid: "theirs", grantDueSeconds: 60 })
    const text = `SELECT n_tup_upd AS updated, n_tup_hot_upd AS hot FROM pg_stat_xact_user_tables
      WHERE schemaname = $1 AND relname = 'pkce_sessions'`
    const counts = async () => (await client.query({ text, values: [own] })).rows
    for (let gen = 1; gen <= 3; gen++) row = await advanced(store, stepOf(row, gen))
    await leased(store, row)
    expect(await counts()).toEqual([{ updated: "4", hot: "4" }])
    await store.sealGrant(sealOf(row, { lease: 1, dueSeconds: 90 }))
    expect(await counts()).toEqual([{ updated: "5", hot: "4" }])
    await client.query("ROLLBACK")
    await client.query(`DROP SCHEMA ${own} CASCADE`)
    client.release()
  })

  test("a grant that has expired unrefreshed is not looked at again", async () => {
    const own = ownName()
    await pool.query(`CREATE SCHEMA ${own}`)
    await migrate(pool, { schema: own })
    let ms = 1_900_000_000_000
    const store = postgresStore(pool, { schema: own, now: () => ms })
    for (let i = 0; i < 3; i++) await created(store, { grantDueSeconds: 10, idleSeconds: 20 })
    const live = await created(store, { grantDueSeconds: 10 })
    ms += 20_000
    expect((await store.due(0, 10)).rows.map(({ sid }) => sid)).toEqual([live.sid])
    const text = `SELECT sid FROM ${own}.pkce_sessions WHERE grant_due_at IS NOT NULL`
    expect((await pool.query(text)).rows).toEqual([{ sid: live.sid }])
    await pool.query(`DROP SCHEMA ${own} CASCADE`)
  })

  test("what has expired is swept while the store is used", async () => {
    const own = ownName()
    await pool.query(`CREATE SCHEMA ${own}`)
    await migrate(pool, { schema: own })
    let ms = 1_900_000_000_000
    const store = postgresStore(pool, { schema: own, now: () => ms })
    const left = async (table: string) => (await pool.query(`SELECT 1 FROM ${own}.${table}`)).rows.length
    await Promise.all(Array.from({ length: 50 }, () => created(store, { absoluteSeconds: 10 })))
    ms += 2 * DAY * 1000
    await Promise.all(Array.from({ length: 20 }, (_, i) => store.claim("jti", `${i}`, "x", 10)))
    await vi.waitFor(async () => expect(await left("pkce_sessions")).toBe(0), { timeout: 10_000 })
    expect(await left("pkce_once")).toBe(20)
    await pool.query(`DROP SCHEMA ${own} CASCADE`)
  })

  test("migrate: ten processes at once, again, and never over a later version", async () => {
    const own = ownName()
    await pool.query(`CREATE SCHEMA ${own}`)
    const pools = Array.from({ length: 10 }, () => newPool({ max: 1 }))
    await Promise.all(pools.map((pool) => migrate(pool, { schema: own })))
    const { rows } = await pool.query(`SELECT version FROM ${own}.pkce_schema`)
    expect(rows).toEqual([{ version: 1 }])
    await pool.query(`UPDATE ${own}.pkce_schema SET version = 2`)
    await expect(migrate(pool, { schema: own })).rejects.toThrow("version 2; this release reads 1")
    await Promise.all(pools.map((pool) => pool.end()))
    await pool.query(`DROP SCHEMA ${own} CASCADE`)
  })

  test("the SQL to read is what migrate runs", async () => {
    const texts: string[] = []
    const query: PostgresPool["query"] = async ({ text }) => {
      texts.push(text)
      return { rows: [{ version: 1 }] }
    }
    await migrate({ query })
    expect(texts[0]).toContain(postgresSchema)
    expect(postgresSchema).toContain('CREATE TABLE IF NOT EXISTS "public".pkce_sessions')
  })

  test("G8: a schema that would need quoting is refused, and values are only ever values", async () => {
    for (const bad of ["", 'x"; DROP TABLE t; --', "Public", "a".repeat(41), "x.y"]) {
      expect(() => postgresStore(pool, { schema: bad })).toThrow(TypeError)
      await expect(migrate(pool, { schema: bad })).rejects.toThrow(TypeError)
    }
    const store = postgresStore(pool, { schema })
    const sql = "x' OR 1=1; DROP TABLE pkce_sessions; --"
    await created(store)
    expect((await store.find(sql)).row).toBeNull()
    expect(await store.revokeByUser(sql, sql)).toEqual([])
    expect(await store.revokeByProviderSession(sql, sql, sql)).toEqual([])
    expect((await store.leaseGrant(sql, { rev: 0, seconds: 1 })).outcome).toBe("missing")
    expect((await store.scan(`~${sql}`, 10)).rows).toEqual([])
    await store.claim("code", sql, sql, 10)
    expect(await store.take("code", sql)).toBe(sql)
  })

  test("a session's row is at most 1,000 bytes", async () => {
    const { sid } = await created(postgresStore(pool, { schema }), realistic)
    const text = `SELECT pg_column_size(s.*) AS bytes FROM ${schema}.pkce_sessions AS s WHERE sid = $1`
    const { rows } = await pool.query({ text, values: [sid] })
    expect(rows[0]?.bytes).toBeLessThanOrEqual(1000)
  })

  test("a session without a profile and without tokens takes at most 900 bytes, its indexes included", async () => {
    const own = ownName()
    await pool.query(`CREATE SCHEMA ${own}`)
    await migrate(pool, { schema: own })
    const profile = new Uint8Array()
    const { sid } = await created(postgresStore(pool, { schema: own }), { ...realistic, profile })
    // Names as long as ours, and as far from any order.
    const name = (bytes: number, of: string) =>
      `rtrim(encode(substr(sha256((${of})::text::bytea), 1, ${bytes}), 'base64'), '=')`
    const copy = `jsonb_build_object('sid', ${name(16, "i")}, 'sub', ${name(32, "'user ' || i")})`
    const text = `INSERT INTO ${own}.pkce_sessions SELECT (jsonb_populate_record(s, ${copy})).*
      FROM ${own}.pkce_sessions AS s, generate_series(1, 5000) AS i WHERE sid = $1`
    await pool.query({ text, values: [sid] })
    const { rows } = await pool.query(`SELECT pg_total_relation_size('${own}.pkce_sessions') / 5000 AS bytes`)
    expect(Number(rows[0]?.bytes)).toBeLessThanOrEqual(900)
    await pool.query(`DROP SCHEMA ${own} CASCADE`)
  })

  test("an ended session is heard of on a connection of its own, also after that was lost", async () => {
    const application_name = ownName()
    const listener = async () => {
      const client = new pg.Client({ connectionString: service?.url, application_name })
      await client.connect()
      return client
    }
    const connections = async () => {
      const text = "SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND query LIKE 'LISTEN%'"
      return (await pool.query({ text, values: [application_name] })).rows.map(({ pid }) => pid as number)
    }
    const ending = postgresStore(pool, { schema })
    const listening = postgresStore(pool, { schema, listener })
    expect(ending.onRevoked).toBeUndefined()
    const heard: string[] = []
    listening.onRevoked?.((sid) => heard.push(sid))
    await vi.waitFor(async () => expect(await connections()).toHaveLength(1), { timeout: 10_000 })
    const [first] = await connections()
    const one = await created(ending)
    await ending.revoke(one.sid, "logout")
    await ending.revoke(one.sid, "again")
    await vi.waitFor(() => expect(heard).toEqual([one.sid]), { timeout: 10_000 })

    await pool.query("SELECT pg_terminate_backend($1)", [first])
    await vi.waitFor(
      async () => {
        const now = await connections()
        expect(now).toHaveLength(1)
        expect(now).not.toEqual([first])
      },
      { timeout: 15_000 },
    )
    const two = await created(ending)
    await ending.revokeByUser(two.sub, "password")
    await vi.waitFor(() => expect(heard).toEqual([one.sid, two.sid]), { timeout: 10_000 })
    const three = await created(ending, { idpSid: "theirs" })
    await ending.revokeByProviderSession(three.idpIss, "theirs", "provider")
    await vi.waitFor(() => expect(heard).toEqual([one.sid, two.sid, three.sid]), { timeout: 10_000 })
    await listening.close?.()
    await vi.waitFor(async () => expect(await connections()).toEqual([]), { timeout: 10_000 })
    expect((await listening.find(two.sid)).row?.revokedReason).toBe("password")
  })
})

/** Makes 1,200 copies of a session, and ten times as many single-use values, whose rows are small. */
async function multiply(sid: string): Promise<void> {
  const pool = newPool()
  const copy = `jsonb_build_object('sid', 'copy ' || i, 'sub', 'user ' || i % 400, 'idp_sid', 'theirs ' || i,
    'grant_due_at', extract(epoch FROM now())::bigint + 600 * i)`
  await pool.query({
    text: `INSERT INTO ${schema}.pkce_sessions SELECT (jsonb_populate_record(s, ${copy})).*
      FROM ${schema}.pkce_sessions AS s, generate_series(1, 1200) AS i WHERE sid = $1`,
    values: [sid],
  })
  await pool.query(`INSERT INTO ${schema}.pkce_once (kind, key, value, expires_at)
    SELECT 'jti', 'copy ' || i, 'x', 4000000000 FROM generate_series(1, 12000) AS i`)
  await pool.query(`ANALYZE ${schema}.pkce_sessions, ${schema}.pkce_once`)
  await pool.end()
}

const NAMES = [
  "create",
  "find",
  "advanceMark",
  "advanceRing",
  "listByUser",
  "revoke",
  "revokeByUser",
  "revokeByProviderSession",
  "leaseGrant",
  "sealGrant",
  "due",
  "scan",
  "claim",
  "read",
  "settle",
  "release",
  "take",
  "sweepSessions",
  "sweepOnce",
] as const

function log(pool: pg.Pool) {
  const statements: { text: string; values: unknown[]; keys: string[] }[] = []
  const logged: PostgresPool = {
    query(statement) {
      const { text, values = [] } = statement
      statements.push({ text, values, keys: Object.keys(statement) })
      return pool.query(statement)
    },
  }
  return { logged, statements }
}

/** Runs `work` while another transaction holds the lock of a session's row. */
async function holding(pool: pg.Pool, sid: string, work: (client: pg.PoolClient) => Promise<void>) {
  const client = await pool.connect()
  try {
    await client.query("BEGIN")
    await client.query(`SELECT 1 FROM ${schema}.pkce_sessions WHERE sid = $1 FOR UPDATE`, [sid])
    await work(client)
  } finally {
    await client.query("ROLLBACK")
    client.release()
  }
}

/** How many statements on our tables wait for a lock. */
async function waiters(pool: pg.Pool): Promise<number> {
  const text = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1"
  return (await pool.query({ text, values: [`%${schema}%`] })).rows.length
}
