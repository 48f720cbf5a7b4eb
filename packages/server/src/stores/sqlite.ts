import { fromColumns, type SessionColumns } from "./columns.js"
import type { ClaimResult, LeaseResult, NewSession, Store } from "./contract.js"
import { isLive } from "./rows.js"
import { prepareDatabase, type SqliteDatabase } from "./sqlite-schema.js"
import { type Columns, prepareStatements } from "./sqlite-statements.js"

export type { SqliteDatabase, SqliteStatement, SqliteValue } from "./sqlite-schema.js"

/** One sweep of at most this many rows at every so many sessions and values that are added. */
const SWEEP = { every: 64, limit: 200 }

/**
 * A store in one SQLite file: nothing to run beside the application. Several processes of one machine may share the file.
 *
 * The connection is passed in. The driver to take is `libsql`: it has better-sqlite3's API, and its SQLite comes ready made
 * inside the npm package, so it installs in seconds and needs no compiler. better-sqlite3, node:sqlite and bun:sqlite fit
 * as well. Give the store a connection of its own: it sets `WAL`, `synchronous=FULL` and a `busy_timeout` of 2 s on it, and
 * a transaction of yours would swallow its commits. Needs SQLite 3.38. Creates the tables `pkce_schema`, `pkce_sessions`
 * and `pkce_once`.
 *
 * @param options `now` gives the time in milliseconds, for tests; by default SQLite's own clock is read inside each statement.
 * @throws Error where the tables were written by another version of their schema; whatever the driver throws where the file
 *   cannot be used.
 * @example
 * ```ts
 * import Database from "libsql"
 *
 * const auth = createPkceServer({ ...options, store: sqliteStore(new Database("auth.db")) })
 * ```
 */
export function sqliteStore(database: SqliteDatabase, options: { now?: () => number } = {}): Store {
  prepareDatabase(database)
  const statements = prepareStatements(database, options.now)

  function sweep(limit: number): number {
    const gone = statements.sweepSessions.run(limit)
    return gone + statements.sweepOnce.run(limit - gone)
  }
  let added = 0
  function sweepNowAndThen(): void {
    if (++added % SWEEP.every !== 0) return
    try {
      sweep(SWEEP.limit)
    } catch {
      // Another process had the lock for too long. No login fails for the housekeeping, which is due again soon.
    }
  }

  const timeNow = () => Number(statements.clock.get()?.now)
  const sessionOf = (row: Columns) => fromColumns(row as unknown as SessionColumns)
  const stamped = (row: Columns) => ({ row: sessionOf(row), now: Number(row.now) })
  const listed = (rows: Columns[]) => ({
    rows: rows.map(sessionOf),
    now: rows[0] ? Number(rows[0].now) : timeNow(),
  })
  const sidOf = ({ sid }: Columns) => String(sid)

  /** What is to be said of a transition that did not happen. */
  function standing(sid: string) {
    const found = statements.find.get(sid)
    return found
      ? ({ outcome: "refused", ...stamped(found) } as const)
      : ({ outcome: "missing", now: timeNow() } as const)
  }

  return {
    kind: "sqlite",

    async create(session: NewSession) {
      sweepNowAndThen()
      const { sid, sub, cur, history, idleSeconds, absoluteSeconds, notAfter } = session
      const { provider, idpIss, idpSub, idpSid, device, profile, grant, grantRev, grantDueSeconds } = session
      const limits = [idleSeconds, absoluteSeconds, absoluteSeconds]
      const about = [provider, idpIss, idpSub, idpSid, device, profile, grant, grantRev, grantDueSeconds]
      const made = statements.create.get(sid, sub, cur, history, ...limits, ...about, notAfter)
      if (made) return { outcome: "created", ...stamped(made) }
      const found = statements.find.get(sid)
      return found ? { outcome: "exists", ...stamped(found) } : { outcome: "late", now: timeNow() }
    },

    async advance({ sid, expect, next, history, idleSeconds }) {
      const step = [next.gen, next.cur, idleSeconds]
      const expected = [sid, expect.gen, expect.cur]
      const offset = (next.gen % 32) * 8
      const moved =
        "ring" in history
          ? statements.advanceRing.get(...step, history.ring, ...expected)
          : statements.advanceMark.get(...step, offset, history.mark, offset + 9, ...expected)
      return moved ? { outcome: "advanced", ...stamped(moved) } : standing(sid)
    },

    async find(sid) {
      const found = statements.find.get(sid)
      return found ? stamped(found) : { row: null, now: timeNow() }
    },

    async revoke(sid, reason) {
      return statements.revoke.run(reason, sid) > 0
    },

    async listByUser(sub) {
      return listed(statements.listByUser.all(sub))
    },

    async revokeByUser(sub, reason, except = "") {
      return statements.revokeByUser.all(reason, sub, except).map(sidOf)
    },

    async revokeByProviderSession(idpIss, idpSid, reason) {
      return statements.revokeByProviderSession.all(reason, idpIss, idpSid).map(sidOf)
    },

    async leaseGrant(sid, { rev, seconds }): Promise<LeaseResult> {
      for (;;) {
        const found = standing(sid)
        if (found.outcome === "missing") return found
        const before = found.row.grantState
        const leased = statements.leaseGrant.get(seconds, sid, rev, before)
        if (leased) return { outcome: "leased", ...stamped(leased), before }
        const still = standing(sid)
        if (still.outcome === "missing" || still.row.grantState === before) return still
        // Another process has moved the state on between the two statements, and the grant may be free: so try again.
      }
    },

    async sealGrant({ sid, rev, lease, state, dueSeconds, grant, profile }) {
      const values = [grant ? rev + 1 : rev, grant ?? null, profile ?? null, state, dueSeconds]
      const sealed = statements.sealGrant.get(...values, sid, rev, lease)
      return sealed ? { outcome: "sealed", ...stamped(sealed) } : standing(sid)
    },

    async due(within, limit) {
      statements.forgetDue.run(SWEEP.limit)
      return listed(statements.due.all(within, limit))
    },

    async scan(from, limit) {
      const { rows, now } = listed(statements.scan.all(from ?? "", limit))
      const next = rows.length < limit ? null : (rows.at(-1)?.sid ?? null)
      return { rows: rows.filter((row) => isLive(row, now)), next, now }
    },

    async claim(kind, key, value, ttlSeconds): Promise<ClaimResult> {
      sweepNowAndThen()
      for (;;) {
        const made = statements.claim.get(kind, key, value, ttlSeconds)
        if (made) return { outcome: "claimed", now: Number(made.now) }
        const taken = statements.read.get(kind, key)
        if (taken) return { outcome: "taken", value: String(taken.value), now: Number(taken.now) }
        // It was released or it expired between the two statements: the claim is free, so try again.
      }
    },

    async peek(kind, key) {
      const found = statements.read.get(kind, key)
      return found ? String(found.value) : null
    },

    async settle(kind, key, expected, value) {
      return statements.settle.run(value, kind, key, expected) > 0
    },

    async release(kind, key, expected) {
      return statements.release.run(kind, key, expected) > 0
    },

    async take(kind, key) {
      const taken = statements.take.get(kind, key)
      return taken ? String(taken.value) : null
    },

    async sweep(limit) {
      return sweep(limit)
    },
  }
}
