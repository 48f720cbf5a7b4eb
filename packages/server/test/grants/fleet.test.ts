import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import pg from "pg"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { migrate } from "../../src/stores/postgres.js"
import type { FakeRefreshTokens } from "../../src/testing/provider-types.js"
import { openStore, type Place } from "../chaos/stores.js"
import { bundleWorker } from "../support/bundle-worker.js"
import { type Fixture, random, startServer, wire } from "../support/server.js"
import { findPostgres, findRedis, notRun, ownName } from "../support/services.js"
import type { Report, Task } from "./worker.js"

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

const [postgres, redis] = await Promise.all([findPostgres(), findRedis()])
const folder = mkdtempSync(here("../../../../node_modules/.fleet-"))
const script = join(folder, "worker.cjs")
const schema = ownName()

beforeAll(async () => {
  await bundleWorker(here("./worker.ts"), script)
  if (postgres) await onPostgres((pool) => migrate(pool, { schema }), `CREATE SCHEMA ${schema}`)
})
afterAll(async () => {
  if (postgres) await onPostgres(async () => undefined, `DROP SCHEMA ${schema} CASCADE`)
  await Promise.all([postgres?.close(), redis?.close()])
  rmSync(folder, { recursive: true })
})

async function onPostgres(work: (pool: pg.Pool) => Promise<void>, statement: string): Promise<void> {
  const pool = new pg.Pool({ connectionString: postgres?.url, max: 1 })
  await pool.query(statement)
  await work(pool)
  await pool.end()
}

const places: [string, () => Place][] = [
  ["SQLite", () => ({ kind: "sqlite", path: join(folder, `${random()}.db`) })],
]
if (postgres) places.push(["PostgreSQL", () => ({ kind: "postgres", url: postgres.url, schema })])
else notRun("a fleet on PostgreSQL")
if (redis) places.push(["Redis", () => ({ kind: "redis", url: redis.url, prefix: `${random()}:` })])
else notRun("a fleet on Redis")

/** A process that has opened its store; `go` lets it ask, and resolves with what it got, or with null where it died. */
async function startWorker(task: Task) {
  const child = spawn(process.execPath, [script], { stdio: ["pipe", "pipe", "inherit"], env: {} })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  child.stdin.on("error", () => undefined)
  child.stdin.write(`${JSON.stringify(task)}\n`)
  await lines.next()
  return async (): Promise<Report | null> => {
    child.stdin.write("go\n")
    const { value, done } = await lines.next()
    child.stdin.end()
    return done ? null : (JSON.parse(String(value)) as Report)
  }
}

describe.each(places)("a fleet on %s", (_, place) => {
  let fixture: Fixture
  let close: () => Promise<void>
  let sid: string
  let session: { refresh_token: string; session_verifier: string }
  let where: Place

  beforeEach(() => {
    where = place()
  })
  afterEach(async () => {
    await fixture.close()
    await close()
  })

  /** One login whose access token is at its end. */
  async function start(rotation: FakeRefreshTokens["rotation"] = "strict"): Promise<void> {
    const opened = await openStore(where)
    close = opened.close
    fixture = await startServer({ store: opened.store, secrets: [random()] }, { refreshTokens: { rotation } })
    fixture.idp.faults.token = { json: (body) => ({ ...body, expires_in: 1 }) }
    const login = fixture.login()
    const grant = await fixture.auth.exchange(wire(login))
    const ends = Date.now() + 1000
    sid = grant.session_id
    session = { refresh_token: grant.refresh_token ?? "", session_verifier: login.verifier }
    // Until then the first access token is better than none.
    await expect.poll(() => Date.now(), { timeout: 5000 }).toBeGreaterThan(ends)
  }

  function workers(count: number, more: Partial<Task> = {}) {
    const { store: _store, onEvent: _onEvent, onWarning: _onWarning, ...options } = fixture.options
    const task: Task = { place: where, options, sid, requests: 50, ahead: 0, ...more }
    return Promise.all(Array.from({ length: count }, () => startWorker(task)))
  }
  const go = async (fleet: Awaited<ReturnType<typeof workers>>) =>
    (await Promise.all(fleet.map((ask) => ask()))).filter((report) => report !== null)

  const sessionGoesOn = () =>
    expect(fixture.auth.refresh({ ...session, session_challenge: random() })).resolves.toMatchObject({
      session_id: sid,
    })

  it("H1, R13: 8 processes with 50 requests each at the moment of expiry are one call of the provider", async () => {
    await start()
    const reports = await go(await workers(8))
    expect(fixture.idp.calls.refresh).toBe(1)
    expect(reports).toHaveLength(8)
    expect(new Set(reports.flatMap(({ tokens }) => tokens)).size).toBe(1)
    expect(reports.flatMap(({ errors }) => errors)).toEqual([])
  })

  it("H2: killed with the lease in its hand: the next one refreshes, nothing is lost", async () => {
    await start()
    expect(await go(await workers(1, { diesAt: "leased" }))).toEqual([])
    expect(fixture.idp.calls.refresh).toBe(0)
    const [report] = await go(await workers(1, { ahead: 50 }))
    expect(report).toMatchObject({ tokens: [expect.any(String)], errors: [] })
    expect(fixture.idp.calls.refresh).toBe(1)
    await sessionGoesOn()
  })

  it("R12: killed with the provider's answer: that grant is lost, the session is not, and it is said", async () => {
    await start("strict")
    expect(await go(await workers(1, { diesAt: "answered" }))).toEqual([])
    for (const _again of [1, 2]) {
      const reports = await go(await workers(2, { ahead: 50 }))
      expect(reports.map(({ errors }) => errors)).toEqual(Array(2).fill(["reauthentication_required lost"]))
    }
    expect(fixture.idp.calls.refresh).toBe(2)
    await sessionGoesOn()
  })

  it("R12: the same, where the provider lets a spent token pass for a while: nothing is lost", async () => {
    await start("grace")
    expect(await go(await workers(1, { diesAt: "answered" }))).toEqual([])
    const [report] = await go(await workers(1, { ahead: 50 }))
    expect(report).toMatchObject({ tokens: [expect.any(String)], errors: [] })
    expect(fixture.idp.calls.refresh).toBe(2)
  })

  it("killed when all of it was saved: the others take it from there", async () => {
    await start()
    expect(await go(await workers(1, { diesAt: "saved" }))).toEqual([])
    const reports = await go(await workers(2))
    expect(reports.flatMap(({ errors }) => errors)).toEqual([])
    expect(fixture.idp.calls.refresh).toBe(1)
    await sessionGoesOn()
  })
})
