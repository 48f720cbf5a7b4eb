import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import pg from "pg"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { PkceError } from "../../src/errors.js"
import { createPkceServer } from "../../src/server.js"
import type { Store } from "../../src/stores/contract.js"
import { migrate } from "../../src/stores/postgres.js"
import { openStore, type Place } from "../chaos/stores.js"
import { bundleWorker } from "../support/bundle-worker.js"
import { type Fixture, random, startServer, wire } from "../support/server.js"
import { findPostgres, findRedis, notRun, ownName } from "../support/services.js"
import type { Round, Task } from "./worker.js"

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

const [postgres, redis] = await Promise.all([findPostgres(), findRedis()])
const folder = mkdtempSync(here("../../../../node_modules/.reseal-"))
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
else notRun("sealing anew on PostgreSQL")
if (redis) places.push(["Redis", () => ({ kind: "redis", url: redis.url, prefix: `${random()}:` })])
else notRun("sealing anew on Redis")

/** A process at work. `rounds` are what came of its work until now. */
async function startWorker(task: Task) {
  const child = spawn(process.execPath, [script], { stdio: ["pipe", "pipe", "inherit"], env: {} })
  const closed = once(child, "close")
  const rounds: Round[] = []
  const lines = createInterface({ input: child.stdout })
  const ready = once(lines, "line")
  child.stdin.on("error", () => undefined)
  child.stdin.write(`${JSON.stringify(task)}\n`)
  await ready
  lines.on("line", (line) => void rounds.push(JSON.parse(line) as Round))
  const done = () => rounds.reduce((sum, round) => sum + round.done, 0)
  return {
    rounds,
    closed,
    go: () => child.stdin.write("go\n"),
    async stop() {
      child.stdin.end()
      await closed
    },
    /** Resolves when this many sessions were sealed anew or refreshed by it. */
    async until(count: number) {
      while (done() < count) {
        if (child.exitCode !== null) throw new Error("the process ended")
        await Promise.race([once(lines, "line"), closed])
      }
    },
  }
}

/** Where the machine was too slow for a store's deadline, a walk may have left a lease behind, which ends by itself. */
async function unlessHeld(work: () => Promise<string>): Promise<string> {
  for (;;) {
    try {
      return await work()
    } catch (thrown) {
      if (!(thrown instanceof PkceError) || thrown.reason !== "leased") throw thrown
    }
  }
}

const [older, newer] = [random(), random()]

describe.each(places)("processes that seal anew on %s", (_, place) => {
  let fixture: Fixture
  let store: Store
  let close: () => Promise<void>
  let where: Place
  const sids: string[] = []

  beforeEach(async () => {
    where = place()
    const opened = await openStore(where)
    store = opened.store
    close = opened.close
    // A spent refresh token that comes again would end its grant at once.
    fixture = await startServer({ store, secrets: [older] }, { refreshTokens: { rotation: "strict" } })
    const short = { json: (body: object) => ({ ...body, expires_in: 1 }) }
    Object.assign(fixture.idp.faults, { token: short, refresh: short })
    sids.length = 0
    for (let i = 0; i < 6; i++) sids.push((await fixture.auth.exchange(wire(fixture.login()))).session_id)
  })
  afterEach(async () => {
    await fixture.close()
    await close()
  })

  function worker(work: Task["work"], secrets: string[], dies = false) {
    const { store: _store, onEvent: _onEvent, onWarning: _onWarning, ...options } = fixture.options
    return startWorker({ place: where, options: { ...options, secrets }, work, sids, dies })
  }

  const after = () => createPkceServer({ ...fixture.options, store, secrets: [newer, older] })

  it("R14: two at a time, while the provider's tokens are refreshed: no token set is lost", {
    timeout: 60_000,
  }, async () => {
    // Each takes its own secret for the newest: there is always something to seal anew.
    const sealers = await Promise.all([worker("reseal", [newer, older]), worker("reseal", [older, newer])])
    const refreshers = await Promise.all([
      worker("refresh", [newer, older]),
      worker("refresh", [older, newer]),
    ])
    const all = [...sealers, ...refreshers]
    for (const { go } of all) go()
    await Promise.all([...sealers.map(({ until }) => until(60)), ...refreshers.map(({ until }) => until(30))])
    await Promise.all(all.map(({ stop }) => stop()))

    // A store that was too slow is an outage, and a row that somebody holds is waited for; nothing else may have happened.
    const errors = all.flatMap(({ rounds }) => rounds.flatMap(({ error }) => error ?? []))
    expect(errors.filter((error) => !/^unavailable |^idp_unavailable leased$/.test(error))).toEqual([])
    const auth = after()
    for (const sid of sids) {
      // The provider gives one more: what is stored is the last token that it issued.
      expect(await unlessHeld(() => auth.provider(sid).accessToken({ minTtl: 60 }))).toMatch(/./)
      expect((await store.find(sid)).row?.grantState).toBe("ok")
    }
    const { rows, unreadable } = await auth.resealSessions()
    expect(Object.values(rows)).toEqual([6])
    expect(unreadable).toBe(0)
  })

  it("one that is killed with a lease in its hand loses nothing", { timeout: 60_000 }, async () => {
    const dying = await worker("reseal", [newer, older], true)
    dying.go()
    await dying.closed
    const states = await Promise.all(sids.map(async (sid) => (await store.find(sid)).row?.grantState))
    expect(states.filter((state) => state === "uncertain")).toHaveLength(1)
    const auth = after()
    // The row that it held is left alone for now.
    expect(await auth.resealSessions()).toMatchObject({ resealed: 5, skipped: 1, unreadable: 0 })
    const { store: ahead, close: closeAhead } = await openStore(where, () => Date.now() + 1_000_000)
    const later = createPkceServer({ ...fixture.options, store: ahead, secrets: [newer, older] })
    expect(await later.resealSessions()).toMatchObject({ resealed: 1, skipped: 0, unreadable: 0 })
    const alone = createPkceServer({ ...fixture.options, store: ahead, secrets: [newer] })
    for (const sid of sids) expect(await alone.provider(sid).accessToken({ minTtl: 60 })).toMatch(/./)
    expect(fixture.idp.calls.refresh).toBe(6)
    await closeAhead()
  })
})
