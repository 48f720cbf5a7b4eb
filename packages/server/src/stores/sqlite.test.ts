import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import Database from "libsql"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { created, newSession, sealOf, stepOf } from "../testing/conformance/case.js"
import { fromColumns, type SessionColumns } from "./columns.js"
import type { GrantState } from "./contract.js"
import { sqliteStore } from "./sqlite.js"
import type { SqliteDatabase, SqliteValue } from "./sqlite-schema.js"

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pkce-"))
  path = join(folder, "auth.db")
})
afterEach(() => rmSync(folder, { recursive: true }))

test("R27: the connection is set up to wait, and to lose nothing that was answered", () => {
  const database = new Database(path)
  sqliteStore(database)
  const pragma = (name: string) => Object.values(database.prepare(`PRAGMA ${name}`).get() as object)[0]
  expect([pragma("journal_mode"), pragma("synchronous"), pragma("busy_timeout")]).toEqual(["wal", 2, 2000])
})

test("two connections to one file see each other's steps at once", async () => {
  const [one, two] = [sqliteStore(new Database(path)), sqliteStore(new Database(path))]
  let row = await created(one)
  for (let gen = 1; gen <= 20; gen++) {
    const results = await Promise.all([one, two].map((store, i) => store.advance(stepOf(row, gen + 100 * i))))
    expect(results.map(({ outcome }) => outcome)).toEqual(["advanced", "refused"])
    const result = await two.find(row.sid)
    expect(result.row?.gen).toBe(gen)
    if (result.row) row = result.row
  }
  expect(await two.revoke(row.sid, "logout")).toBe(true)
  expect((await one.advance(stepOf(row, 1))).outcome).toBe("refused")
})

test("revokeByUser of more rows than a driver reads at once is committed", async () => {
  const [one, two] = [sqliteStore(new Database(path)), sqliteStore(new Database(path))]
  const sids: string[] = []
  for (let i = 0; i < 200; i++) sids.push((await created(one, { sub: "user" })).sid)
  expect((await one.revokeByUser("user", "all")).sort()).toEqual(sids.sort())
  expect((await two.listByUser("user")).rows).toEqual([])
  expect((await two.create(newSession())).outcome).toBe("created")
})

test("F4: two processes that race along one line win each generation once", { timeout: 60_000 }, async () => {
  const store = sqliteStore(new Database(path))
  const { sid } = await created(store)
  const racers = [0, 100].map((seed) => racer(sid, seed))
  await Promise.all(racers.map(({ reached }) => reached("ready")))
  for (const { child } of racers) child.stdin.write("go\n")
  await Promise.all(racers.map(({ won, until }) => until(() => won().length >= 20)))
  for (const { child } of racers) child.stdin.end()
  await Promise.all(racers.map(({ closed }) => closed))
  const generations = racers.flatMap(({ won }) => won()).sort((a, b) => a - b)
  const { row } = await store.find(sid)
  expect(generations).toEqual(Array.from({ length: row?.gen ?? 0 }, (_, i) => i + 1))
})

test("R27: a process killed in the middle loses nothing that it has answered", {
  timeout: 60_000,
}, async () => {
  const { sid } = await created(sqliteStore(new Database(path)))
  for (let round = 0; round < 3; round++) {
    const { child, won, until, closed } = racer(sid, 0)
    child.stdin.write("go\n")
    await until(() => won().length >= 5)
    child.kill("SIGKILL")
    await closed
    const database = new Database(path)
    const { row } = await sqliteStore(database).find(sid)
    expect(row?.gen).toBeGreaterThanOrEqual(Math.max(...won()))
    expect(database.prepare("PRAGMA integrity_check").get()).toMatchObject({ integrity_check: "ok" })
    database.close()
  }
})

test("a refresh is one statement, a refused one two", async () => {
  const { database, ran } = counted(new Database(path))
  const store = sqliteStore(database)
  const row = await created(store)
  ran.length = 0
  await store.advance(stepOf(row, 1))
  expect(ran).toEqual(["UPDATE"])
  ran.length = 0
  await store.advance(stepOf(row, 1))
  expect(ran).toEqual(["UPDATE", "SELECT"])
})

test("statements are prepared once", async () => {
  const { database, prepared } = counted(new Database(path))
  const store = sqliteStore(database)
  const before = prepared()
  let row = await created(store)
  for (let gen = 1; gen < 10; gen++) {
    const result = await store.advance(stepOf(row, gen))
    if (result.outcome === "advanced") row = result.row
  }
  await store.revokeByUser(row.sub, "all")
  expect(prepared()).toBe(before)
})

test("leaseGrant tells the state that it took, also where another process moves it on meanwhile", async () => {
  const other = sqliteStore(new Database(path))
  const row = await created(other)
  const real = new Database(path)
  const moves: GrantState[] = ["refused", "retried"]
  const database: SqliteDatabase = {
    exec: (sql) => real.exec(sql),
    prepare(sql) {
      const statement = real.prepare(sql)
      if (!sql.includes("lease_number + 1")) return statement
      const get = (...values: SqliteValue[]) => {
        const state = moves.shift()
        // The stores of this driver work synchronously.
        if (state) void other.sealGrant(sealOf(row, { state }))
        return statement.get(...values)
      }
      return {
        get,
        all: (...values) => statement.all(...values),
        run: (...values) => statement.run(...values),
      }
    },
  }
  const result = await sqliteStore(database).leaseGrant(row.sid, { rev: 0, seconds: 60 })
  expect(result).toMatchObject({ outcome: "leased", before: "retried", row: { leaseNumber: 1 } })
  expect(moves).toEqual([])
})

test("no lookup reads the whole table", () => {
  const real = new Database(path)
  const texts: string[] = []
  sqliteStore({
    exec: (sql) => real.exec(sql),
    prepare(sql) {
      texts.push(sql)
      return real.prepare(sql)
    },
  })
  const ours = texts.filter((sql) => /pkce_(sessions|once)/.test(sql))
  expect(ours).toHaveLength(20)
  const plans = ours.map((sql) =>
    real
      .prepare(`EXPLAIN QUERY PLAN ${sql.replace(/\?/g, "1")}`)
      .all()
      .map((step) => (step as { detail: string }).detail),
  )
  expect(plans.flat().filter((step) => /SCAN pkce|TEMP B-TREE/.test(step))).toEqual([
    // The sessions of one user, which are few.
    "USE TEMP B-TREE FOR ORDER BY",
  ])
})

test("a grant that has expired unrefreshed is not looked at again", async () => {
  let ms = 1_900_000_000_000
  const database = new Database(path)
  const store = sqliteStore(database, { now: () => ms })
  for (let i = 0; i < 3; i++) await created(store, { grantDueSeconds: 10, idleSeconds: 20 })
  const live = await created(store, { grantDueSeconds: 10 })
  ms += 20_000
  expect((await store.due(0, 10)).rows.map(({ sid }) => sid)).toEqual([live.sid])
  const indexed = database.prepare("SELECT sid FROM pkce_sessions WHERE grant_due_at IS NOT NULL").all()
  expect(indexed).toMatchObject([{ sid: live.sid }])
})

test("what has expired is swept while the store is used", async () => {
  let ms = 1_900_000_000_000
  const database = new Database(path)
  const store = sqliteStore(database, { now: () => ms })
  for (let i = 0; i < 100; i++) await store.claim("jti", `old ${i}`, "x", 10)
  ms += 11_000
  for (let i = 0; i < 100; i++) await store.claim("jti", `new ${i}`, "x", 10)
  expect(database.prepare("SELECT count(*) AS n FROM pkce_once").get()).toMatchObject({ n: 100 })
})

test("no login fails because what has expired could not be swept", async () => {
  const real = new Database(path)
  const database: SqliteDatabase = {
    exec: (sql) => real.exec(sql),
    prepare: (sql) => (/^\s*DELETE .* WHERE \S+(, \S+)? IN/s.test(sql) ? busy : real.prepare(sql)),
  }
  const fail = vi.fn(() => {
    throw new Error("database is locked")
  })
  const busy = { get: fail, all: fail, run: fail }
  const store = sqliteStore(database)
  for (let i = 0; i < 64; i++) expect((await store.claim("jti", `${i}`, "x", 10)).outcome).toBe("claimed")
  for (let i = 0; i < 64; i++) await created(store)
  expect(fail).toHaveBeenCalledTimes(2)
  await expect(store.sweep(10)).rejects.toThrow("locked")
})

test("a transaction that SQLite has ended itself tells why, and not that there is none to end", () => {
  const real = new Database(path)
  const database: SqliteDatabase = {
    prepare: (sql) => real.prepare(sql),
    exec(sql) {
      if (!sql.includes("CREATE TABLE")) return real.exec(sql)
      real.exec("ROLLBACK")
      throw new Error("database or disk is full")
    },
  }
  expect(() => sqliteStore(database)).toThrow("disk is full")
})

test("tables of a later version are refused at start", () => {
  const database = new Database(path)
  sqliteStore(database)
  database.exec("UPDATE pkce_schema SET version = 2")
  expect(() => sqliteStore(database)).toThrow("version 2; this release reads 1")
})

test("a closed or locked database throws: it never looks like an empty one", async () => {
  const database = new Database(path)
  const store = sqliteStore(database)
  const { sid } = await created(store)
  const other = new Database(path)
  other.exec("BEGIN IMMEDIATE")
  database.exec("PRAGMA busy_timeout = 1")
  await expect(store.revoke(sid, "logout")).rejects.toThrow(/locked/)
  other.exec("COMMIT")
  expect(await store.revoke(sid, "logout")).toBe(true)
})

test("a driver's own kinds of blob and number come out the same", () => {
  const columns = {
    grant_due_at: null,
    lease_expires_at: 9n,
    cur: Buffer.from([1, 2]),
    history: new Uint8Array([3]),
    profile: new Uint8Array([4]).buffer,
  }
  const row = fromColumns({
    ...columns,
    idp_grant: null,
    gen: 7n,
    created_at: 8,
  } as unknown as SessionColumns)
  expect(row).toMatchObject({ gen: 7, createdAt: 8, grant: null, grantDueAt: null, leaseExpiresAt: 9 })
  expect([row.cur, row.history, row.profile]).toStrictEqual([[1, 2], [3], [4]].map((b) => Uint8Array.from(b)))
})

test("G8: ids and values with SQL in them are only ever values", async () => {
  const store = sqliteStore(new Database(path))
  const sql = "x' OR 1=1; DROP TABLE pkce_sessions; --"
  await created(store)
  expect((await store.find(sql)).row).toBeNull()
  expect(await store.revokeByUser(sql, sql)).toEqual([])
  expect(await store.revokeByProviderSession(sql, sql, sql)).toEqual([])
  expect((await store.leaseGrant(sql, { rev: 0, seconds: 1 })).outcome).toBe("missing")
  expect((await store.scan(sql, 10)).next).toBeNull()
  await store.claim("code", sql, sql, 10)
  expect(await store.take("code", sql)).toBe(sql)
})

/** A child process that advances the session, and what it has printed of its wins. */
function racer(sid: string, seed: number) {
  const tsx = createRequire(import.meta.url).resolve("tsx")
  const script = fileURLToPath(new URL("./sqlite-process.fixture.ts", import.meta.url))
  const child = spawn(process.execPath, ["--import", tsx, script, path, sid, String(seed)])
  let printed = ""
  let faults = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed += text
  })
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    faults += text
  })
  const closed = once(child, "close")
  const lines = () => printed.split("\n").slice(0, -1)

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (child.exitCode !== null) throw new Error(`the process ended: ${faults}`)
      await Promise.race([once(child.stdout, "data"), closed])
    }
  }
  return {
    child,
    closed,
    until,
    reached: (line: string) => until(() => lines().includes(line)),
    won: () =>
      lines()
        .filter((line) => line !== "ready")
        .map(Number),
  }
}

function counted(real: SqliteDatabase) {
  const ran: string[] = []
  let prepared = 0
  const database: SqliteDatabase = {
    exec: (sql) => real.exec(sql),
    prepare(sql) {
      prepared++
      const statement = real.prepare(sql)
      const first = sql.trim().split(/\s/)[0] ?? ""
      const logged =
        <T>(call: (...values: SqliteValue[]) => T) =>
        (...values: SqliteValue[]) => {
          ran.push(first)
          return call(...values)
        }
      return {
        get: logged((...values) => statement.get(...values)),
        all: logged((...values) => statement.all(...values)),
        run: logged((...values) => statement.run(...values)),
      }
    },
  }
  return { database, ran, prepared: () => prepared }
}
