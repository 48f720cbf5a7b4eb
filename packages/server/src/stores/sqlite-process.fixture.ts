import { setImmediate } from "node:timers/promises"
import Database from "libsql"
import { sqliteStore } from "./sqlite.js"

// A process of its own for sqlite.test.ts. From the first line on its input to the end of it, it advances one session as
// fast as it can, whoever else does the same, and prints each generation that it won once the store has answered.
const [path = "", sid = "", seed = ""] = process.argv.slice(2)
const store = sqliteStore(new Database(path))
let racing = false
let over = false
process.stdin.on("data", () => {
  racing = true
})
process.stdin.on("end", () => {
  over = true
})
process.stdout.write("ready\n")

let { row } = await store.find(sid)
while (row && !over) {
  await setImmediate()
  if (!racing) continue
  const next = { gen: row.gen + 1, cur: new Uint8Array(32).fill(Number(seed) + (row.gen % 100)) }
  const history = { mark: new Uint8Array(8).fill(0x80) }
  const expect = { gen: row.gen, cur: row.cur }
  const result = await store.advance({ sid, expect, next, history, idleSeconds: 600 }).catch(starved)
  if (!result) continue
  if (result.outcome === "advanced") process.stdout.write(`${result.row.gen}\n`)
  row = result.outcome === "missing" ? null : result.row
}

// SQLite's lock is not fair: under a race without a pause one process may wait longer than the busy_timeout. That is an
// outage (503), after which the same step is asked for again.
function starved(error: unknown): null {
  if (error instanceof Error && "code" in error && error.code === "SQLITE_BUSY") return null
  throw error
}
