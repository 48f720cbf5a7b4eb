import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Redis } from "ioredis"
import Database from "libsql"
import pg from "pg"
import { afterAll, describe, expect, test } from "vitest"
import { migrate } from "../../src/stores/postgres.js"
import { findPostgres, notRun, type OwnServer, ownName, startRedis } from "../support/services.js"
import { type ChaosOptions, chaos, type Figures, SECONDS } from "./run.js"

// A run is as long as it is told, and goes on until enough has gone wrong, however slow the machine is.
const timeout = (SECONDS + 170) * 1000

const postgres = await findPostgres()
// Only one of our own may be killed: whether one can be started.
const redis = await startRedis()
await redis?.close()
afterAll(() => postgres?.close())

describe("R1, R2, R3, R4: nobody is logged out and every thief is found, whatever dies", () => {
  test("R27: SQLite, one file for all processes", { timeout }, async () => {
    await inFolder(async (folder) => {
      const path = join(folder, "auth.db")
      await survives("SQLite", { place: { kind: "sqlite", path } })
      const database = new Database(path)
      expect(database.prepare("PRAGMA integrity_check").get()).toMatchObject({ integrity_check: "ok" })
      database.close()
    })
  })

  if (redis) {
    test("R9: Redis that loses the last 0.8 s, every 2 s", { timeout }, async () => {
      await onRedis({}, async (server) => {
        const save = () => saveNow(server.url)
        async function strike(): Promise<void> {
          await save()
          await sleep(800)
          await server.kill()
          await server.start()
        }
        const place = { kind: "redis", url: server.url, prefix: "chaos:" } as const
        const disaster = { every: 1200, strike }
        const figures = await survives("Redis, rolled back", { place, ready: save, disaster })
        expect(figures.forwards).toBeGreaterThan(0)
      })
    })
  } else notRun("chaos on Redis that loses writes")
})

describe("R1, R2, R3, R4: and on servers that are struck themselves", () => {
  if (postgres) {
    test("R11: PostgreSQL, all our backends terminated every 1.5 s", { timeout }, async () => {
      await onPostgres(postgres.url, async (admin, schema) => {
        const ours = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"
        const strike = async () => void (await admin.query(ours, [schema]))
        const place = { kind: "postgres", url: postgres.url, schema } as const
        await survives("PostgreSQL", { place, disaster: { every: 1500, strike } })
      })
    })
  } else notRun("chaos on PostgreSQL")

  if (redis) {
    test("R8: Redis with an append-only file, killed every 2 s", { timeout }, async () => {
      await onRedis({ appendonly: "yes", appendfsync: "everysec" }, async (server) => {
        const strike = () => server.kill().then(() => server.start())
        const place = { kind: "redis", url: server.url, prefix: "chaos:" } as const
        await survives("Redis, killed", { place, disaster: { every: 2000, strike } })
      })
    })
  } else notRun("chaos on Redis that is killed")

  test("negative control: strict rotation logs honest clients out", { timeout }, async () => {
    await inFolder(async (folder) => {
      const place = { kind: "sqlite", path: join(folder, "auth.db") } as const
      const figures = await chaos({ place, strict: true })
      shown("SQLite with strict rotation", figures)
      expect(figures.loggedOut).not.toEqual([])
    })
  })
})

/** The promise, after a run in which everything that should go wrong did. */
async function survives(name: string, options: ChaosOptions): Promise<Figures> {
  const figures = await chaos(options)
  shown(name, figures)
  expect(figures.loggedOut).toEqual([])
  expect(figures.detected).toBe(figures.thefts)
  for (const what of ["thefts", "kills", "dropped", "doubled", "late", "repeats"] as const) {
    expect(figures[what], what).toBeGreaterThan(0)
  }
  return figures
}

function shown(name: string, { loggedOut, ...figures }: Figures): void {
  const all = Object.entries({ ...figures, "logged out": loggedOut.length })
  console.log(`chaos on ${name}: ${all.map(([what, count]) => `${what} ${count}`).join(", ")}`)
}

async function onRedis(
  settings: Record<string, string>,
  work: (server: OwnServer) => Promise<void>,
): Promise<void> {
  const server = await startRedis(settings)
  if (!server) throw new Error("no Redis could be started")
  try {
    await work(server)
  } finally {
    await server.close()
  }
}

async function saveNow(url: string): Promise<void> {
  const client = new Redis(url)
  await client.save()
  client.disconnect()
}

async function onPostgres(
  url: string,
  work: (admin: pg.Pool, schema: string) => Promise<void>,
): Promise<void> {
  const schema = ownName()
  const admin = new pg.Pool({ connectionString: url, max: 1 })
  try {
    await admin.query(`CREATE SCHEMA ${schema}`)
    await migrate(admin, { schema })
    await work(admin, schema)
  } finally {
    await admin.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)
    await admin.end()
  }
}

/** In memory where the system has such a folder: a process that is killed loses nothing that it wrote to either. */
async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const inMemory = statSync("/dev/shm", { throwIfNoEntry: false })?.isDirectory()
  const folder = mkdtempSync(join(inMemory ? "/dev/shm" : tmpdir(), "pkce-chaos-"))
  try {
    await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
