import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Database from "libsql"
import { describe, test } from "vitest"
import { type ConformanceSubject, storeConformance } from "../testing/store-conformance.js"
import { memoryStore } from "./memory.js"
import { sqliteStore } from "./sqlite.js"

function movable() {
  let ms = 1_900_000_000_000
  return {
    now: () => ms,
    advanceClock: (seconds: number) => {
      ms += seconds * 1000
    },
  }
}

const subjects: Record<string, () => Promise<ConformanceSubject>> = {
  memory: async () => {
    const { now, advanceClock } = movable()
    return { store: memoryStore({ now }), advanceClock }
  },
  sqlite: async () => {
    const { now, advanceClock } = movable()
    return { store: sqliteStore(new Database(":memory:"), { now }), advanceClock }
  },
}

async function ownClock(): Promise<ConformanceSubject> {
  const folder = mkdtempSync(join(tmpdir(), "pkce-"))
  const database = new Database(join(folder, "auth.db"))
  async function close(): Promise<void> {
    database.close()
    rmSync(folder, { recursive: true })
  }
  return { store: sqliteStore(database), close }
}

for (const [name, open] of Object.entries(subjects)) {
  describe(`G10: the conformance kit on ${name}`, () => {
    for (const { name, run } of storeConformance(open)) test(name, run)
  })
}

describe("G10: the conformance kit on sqlite, in a file and by SQLite's own clock", () => {
  for (const { name, needsClock, run } of storeConformance(ownClock)) if (!needsClock) test(name, run)
})
