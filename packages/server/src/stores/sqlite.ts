import { fromColumns, type SessionColumns } from "./columns.js"
import type { ClaimResult, NewSession, Store } from "./contract.js"
import { RETENTION } from "./rows.js"
import { prepareDatabase, type SqliteDatabase, type SqliteValue } from "./sqlite-schema.js"

export type { SqliteDatabase, SqliteStatement, SqliteValue } from "./sqlite-schema.js"

const LIVE = "revoked_at IS NULL AND idle_expires_at > NOW AND absolute_expires_at > NOW"
// Nobody can use what is sealed in there any more: keep no more of a dead session than its name.
const REVOKE = "SET revoked_at = NOW, revoked_reason = ?, profile = x'', idp_grant = NULL"
const STEP =
  "gen = ?, cur = ?, seen_at = max(seen_at, NOW), idle_expires_at = min(NOW + ?, absolute_expires_at)"
const EXPECTED = `sid = ? AND gen = ? AND cur = ? AND ${LIVE}`

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
  const statement = statements(database, options.now)

  const insert = statement(`
    INSERT INTO pkce_sessions
    SELECT ?, ?, 0, ?, ?, NOW, NOW, NOW + min(?, ?), NOW + ?, NULL, NULL, ?, ?, ?, ?, ?, ?, ?, ?
    WHERE NOW <= ? ON CONFLICT DO NOTHING RETURNING *, NOW AS now`)
  // `||` makes text of blobs without touching their bytes; the cast makes a blob of it again.
  const advanceMark = statement(`
    UPDATE pkce_sessions SET ${STEP},
      history = CAST(substr(history, 1, ?) || ? || substr(history, ?) AS BLOB)
    WHERE ${EXPECTED} RETURNING *, NOW AS now`)
  const advanceRing = statement(
    `UPDATE pkce_sessions SET ${STEP}, history = ? WHERE ${EXPECTED} RETURNING *, NOW AS now`,
  )
  const select = statement("SELECT *, NOW AS now FROM pkce_sessions WHERE sid = ?")
  const clock = statement("SELECT NOW AS now")
  const revokeOne = statement(`UPDATE pkce_sessions ${REVOKE} WHERE sid = ? AND ${LIVE}`)
  const selectUser = statement(
    `SELECT *, NOW AS now FROM pkce_sessions WHERE sub = ? AND ${LIVE} ORDER BY created_at DESC`,
  )
  const revokeUser = statement(
    `UPDATE pkce_sessions ${REVOKE} WHERE sub = ? AND sid <> ? AND ${LIVE} RETURNING sid`,
  )
  const claimOnce = statement(`
    INSERT INTO pkce_once VALUES (?, ?, ?, NOW + ?)
    ON CONFLICT DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at WHERE expires_at <= NOW
    RETURNING NOW AS now`)
  const readOnce = statement(
    "SELECT value, NOW AS now FROM pkce_once WHERE kind = ? AND key = ? AND expires_at > NOW",
  )
  const settleOnce = statement(
    "UPDATE pkce_once SET value = ? WHERE kind = ? AND key = ? AND value = ? AND expires_at > NOW",
  )
  const releaseOnce = statement(
    "DELETE FROM pkce_once WHERE kind = ? AND key = ? AND value = ? AND expires_at > NOW",
  )
  const takeOnce = statement(
    "DELETE FROM pkce_once WHERE kind = ? AND key = ? AND expires_at > NOW RETURNING value",
  )
  const sweepSessions = statement(`
    DELETE FROM pkce_sessions WHERE sid IN
      (SELECT sid FROM pkce_sessions WHERE absolute_expires_at <= NOW - ${RETENTION} LIMIT ?)`)
  const sweepOnce = statement(`
    DELETE FROM pkce_once WHERE (kind, key) IN
      (SELECT kind, key FROM pkce_once WHERE expires_at <= NOW LIMIT ?)`)

  function sweep(limit: number): number {
    const gone = sweepSessions.run(limit)
    return gone + sweepOnce.run(limit - gone)
  }
  let added = 0
  function sweepNowAndThen(): void {
    if (++added % SWEEP.every === 0) sweep(SWEEP.limit)
  }

  const nowOf = (row: Columns) => Number(row.now)
  const timeNow = () => Number(clock.get()?.now)
  const sessionOf = (row: Columns) => fromColumns(row as unknown as SessionColumns)

  return {
    kind: "sqlite",

    async create(session: NewSession) {
      sweepNowAndThen()
      const { sid, sub, cur, history, idleSeconds, absoluteSeconds, notAfter } = session
      const { provider, idpIss, idpSub, idpSid, device, profile, grant, grantRev } = session
      const limits = [idleSeconds, absoluteSeconds, absoluteSeconds]
      const about = [provider, idpIss, idpSub, idpSid, device, profile, grant, grantRev]
      const made = insert.get(sid, sub, cur, history, ...limits, ...about, notAfter)
      if (made) return { outcome: "created", row: sessionOf(made), now: nowOf(made) }
      const found = select.get(sid)
      return found
        ? { outcome: "exists", row: sessionOf(found), now: nowOf(found) }
        : { outcome: "late", now: timeNow() }
    },

    async advance({ sid, expect, next, history, idleSeconds }) {
      const step = [next.gen, next.cur, idleSeconds]
      const expected = [sid, expect.gen, expect.cur]
      const offset = (next.gen % 32) * 8
      const moved =
        "ring" in history
          ? advanceRing.get(...step, history.ring, ...expected)
          : advanceMark.get(...step, offset, history.mark, offset + 9, ...expected)
      if (moved) return { outcome: "advanced", row: sessionOf(moved), now: nowOf(moved) }
      const found = select.get(sid)
      return found
        ? { outcome: "refused", row: sessionOf(found), now: nowOf(found) }
        : { outcome: "missing", now: timeNow() }
    },

    async find(sid) {
      const found = select.get(sid)
      return found ? { row: sessionOf(found), now: nowOf(found) } : { row: null, now: timeNow() }
    },

    async revoke(sid, reason) {
      return revokeOne.run(reason, sid) > 0
    },

    async listByUser(sub) {
      const found = selectUser.all(sub)
      return { rows: found.map(sessionOf), now: found[0] ? nowOf(found[0]) : timeNow() }
    },

    async revokeByUser(sub, reason, except = "") {
      return revokeUser.all(reason, sub, except).map(({ sid }) => String(sid))
    },

    async claim(kind, key, value, ttlSeconds): Promise<ClaimResult> {
      sweepNowAndThen()
      for (;;) {
        const made = claimOnce.get(kind, key, value, ttlSeconds)
        if (made) return { outcome: "claimed", now: nowOf(made) }
        const taken = readOnce.get(kind, key)
        if (taken) return { outcome: "taken", value: String(taken.value), now: nowOf(taken) }
        // It was released or it expired between the two statements: the claim is free, so try again.
      }
    },

    async settle(kind, key, expected, value) {
      return settleOnce.run(value, kind, key, expected) > 0
    },

    async release(kind, key, expected) {
      return releaseOnce.run(kind, key, expected) > 0
    },

    async take(kind, key) {
      const taken = takeOnce.get(kind, key)
      return taken ? String(taken.value) : null
    },

    async sweep(limit) {
      return sweep(limit)
    },
  }
}

type Columns = Record<string, unknown>

/**
 * Prepares statements in which `NOW` is SQLite's clock: it stands still within a statement and is read once the statement
 * has its lock, so a process that waited, or was stopped, judges no expiry by a time of long ago.
 */
function statements(database: SqliteDatabase, now: (() => number) | undefined) {
  return (sql: string) => {
    const prepare = (time: string) => database.prepare(sql.replace(/\bNOW\b/g, time))
    const prepared = now ? null : prepare("unixepoch()")
    const ready = () => prepared ?? prepare(String(Math.floor((now ?? Date.now)() / 1000)))
    return {
      get: (...values: SqliteValue[]) => (ready().get(...values) ?? undefined) as Columns | undefined,
      all: (...values: SqliteValue[]) => ready().all(...values) as Columns[],
      run: (...values: SqliteValue[]) => Number(ready().run(...values).changes),
    }
  }
}
