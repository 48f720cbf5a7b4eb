import type { Buffer } from "node:buffer"
import type { SessionRow } from "./contract.js"
import type { FindRow, RunScript } from "./redis-client.js"
import { isDue, isLive } from "./rows.js"

/** Seconds for which an entry is kept after its time, at least: then its session has ended, or nobody asks what is due. */
const KEPT = 90 * 86_400
/** Seconds after its time for which an entry without a row is left alone: the row may be about to be written. */
const UNBORN = 900

/** Entries that are read at once, at least, and how often in one call. */
const PAGE = 100
const PAGES = 10
/** Entries beyond their time that a login removes. */
const REMOVED = 4

/**
 * The sessions whose grant will be due, by time, under one key. An entry is written before its row, so none is missing
 * after a crash; it may be of a row that was never written, has ended, or is due later. So each is verified by its row when
 * its time has come, and then put right.
 */
export function createDueIndex(run: RunScript, key: string, find: FindRow) {
  /** `true` where the entry stays where it is. */
  async function verified(sid: string, score: string, row: SessionRow | null, now: number): Promise<boolean> {
    const dueAt = row && isLive(row, now) ? row.grantDueAt : null
    const unborn = row === null && Number(score) + UNBORN > now
    // Whoever holds the lease will say when it is due.
    const held = dueAt !== null && row !== null && now < row.leaseExpiresAt
    if (unborn || held || dueAt === Number(score)) return true
    await run("amend", key, [sid, score, dueAt ?? ""])
    return false
  }

  return {
    /** Before the row is written. `livesFor` is the longest that the session can live from now on, where that is known. */
    async schedule(sid: string, dueSeconds: number, livesFor?: number): Promise<void> {
      const kept = Math.max(KEPT, livesFor ?? 0)
      // Where it is not known, entries of sessions that live longer must not go.
      await run("schedule", key, [sid, dueSeconds, kept, livesFor === undefined ? 0 : REMOVED])
    },

    async due(within: number, limit: number): Promise<{ rows: SessionRow[]; now: number }> {
      const size = Math.max(PAGE, limit)
      const found = new Map<string, SessionRow>()
      const earliest = () => [...found.values()].sort(earliestFirst).slice(0, limit)
      let now = 0
      let skip = 0
      for (let page = 0; page < PAGES; page++) {
        const [time, flat] = await run<[number, Buffer[]]>("due", key, [within, skip, size])
        now = time
        const entries = pairs(flat)
        const stay = await Promise.all(
          entries.map(async ([sid, score]) => {
            const { row, now } = await find(sid)
            if (row && isLive(row, now) && isDue(row, within, now)) found.set(sid, row)
            return verified(sid, score, row, now)
          }),
        )
        // What was put away or moved stands no longer in front of the rest. Others may move entries at the same time: what
        // is passed over by that is met by the next call.
        skip += stay.filter(Boolean).length
        if (entries.length < size) break
        // No row is due before its entry says, so nothing that follows is earlier than these.
        const rows = earliest()
        const reached = Number(entries.at(-1)?.[1])
        if (rows.length === limit && (rows.at(-1)?.grantDueAt ?? 0) <= reached) break
      }
      return { rows: earliest(), now }
    },
  }
}

function pairs(flat: Buffer[]): [sid: string, score: string][] {
  const entries: [string, string][] = []
  for (let i = 0; i < flat.length; i += 2) entries.push([String(flat[i]), String(flat[i + 1])])
  return entries
}

const earliestFirst = (a: SessionRow, b: SessionRow) => (a.grantDueAt ?? 0) - (b.grantDueAt ?? 0)
