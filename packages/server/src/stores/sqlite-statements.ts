import { RETENTION } from "./rows.js"
import type { SqliteDatabase, SqliteValue } from "./sqlite-schema.js"

export type Columns = Record<string, unknown>

const LIVE = "revoked_at IS NULL AND idle_expires_at > NOW AND absolute_expires_at > NOW"

// Nobody can use what is sealed in there any more: keep no more of a dead session than its name.
const REVOKE = `
  UPDATE pkce_sessions SET revoked_at = NOW, revoked_reason = ?, profile = x'', idp_grant = NULL, grant_due_at = NULL`

// `||` makes text of blobs without touching their bytes; the cast makes a blob of it again.
const MARK = "CAST(substr(history, 1, ?) || ? || substr(history, ?) AS BLOB)"

const advance = (history: string) => `
  UPDATE pkce_sessions SET gen = ?, cur = ?, seen_at = max(seen_at, NOW),
    idle_expires_at = min(NOW + ?, absolute_expires_at), history = ${history}
  WHERE sid = ? AND gen = ? AND cur = ? AND ${LIVE} RETURNING *, NOW AS now`

const SQL = {
  create: `
    INSERT INTO pkce_sessions (sid, sub, gen, cur, history, created_at, seen_at, idle_expires_at, absolute_expires_at,
      provider, idp_iss, idp_sub, idp_sid, device, profile, idp_grant, grant_rev, grant_due_at,
      grant_state, lease_number, lease_expires_at)
    SELECT ?, ?, 0, ?, ?, NOW, NOW, NOW + min(?, ?), NOW + ?, ?, ?, ?, ?, ?, ?, ?, ?, NOW + ?, 'ok', 0, 0
    WHERE NOW <= ? ON CONFLICT DO NOTHING RETURNING *, NOW AS now`,
  advanceMark: advance(MARK),
  advanceRing: advance("?"),
  find: "SELECT *, NOW AS now FROM pkce_sessions WHERE sid = ?",
  clock: "SELECT NOW AS now",
  revoke: `${REVOKE} WHERE sid = ? AND ${LIVE}`,
  listByUser: `
    SELECT *, NOW AS now FROM pkce_sessions WHERE sub = ? AND ${LIVE} ORDER BY created_at DESC`,
  revokeByUser: `${REVOKE} WHERE sub = ? AND sid <> ? AND ${LIVE} RETURNING sid`,
  revokeByProviderSession: `${REVOKE} WHERE idp_iss = ? AND idp_sid = ? AND ${LIVE} RETURNING sid`,
  // Compared with the state that the caller has read: RETURNING knows the new one only.
  leaseGrant: `
    UPDATE pkce_sessions SET lease_number = lease_number + 1, lease_expires_at = NOW + ?,
      grant_state = CASE WHEN grant_state IN ('ok', 'refused') THEN 'uncertain' ELSE 'retried' END
    WHERE sid = ? AND grant_rev = ? AND grant_state = ? AND grant_state NOT IN ('lost', 'revoked')
      AND idp_grant IS NOT NULL AND lease_expires_at <= NOW AND ${LIVE}
    RETURNING *, NOW AS now`,
  sealGrant: `
    UPDATE pkce_sessions SET grant_rev = ?, idp_grant = coalesce(?, idp_grant), profile = coalesce(?, profile),
      grant_state = ?, grant_due_at = NOW + ?, lease_expires_at = 0
    WHERE sid = ? AND grant_rev = ? AND (lease_number = ? OR lease_expires_at <= NOW) AND ${LIVE}
    RETURNING *, NOW AS now`,
  due: `
    SELECT *, NOW AS now FROM pkce_sessions WHERE grant_due_at <= NOW + ? AND lease_expires_at <= NOW AND ${LIVE}
    ORDER BY grant_due_at LIMIT ?`,
  // What expired unrefreshed would stand first in the index for as long as its row is kept, and each search walk over it.
  forgetDue: `
    UPDATE pkce_sessions SET grant_due_at = NULL WHERE sid IN
      (SELECT sid FROM pkce_sessions WHERE grant_due_at <= NOW AND NOT (${LIVE}) ORDER BY grant_due_at LIMIT ?)`,
  scan: "SELECT *, NOW AS now FROM pkce_sessions WHERE sid > ? ORDER BY sid LIMIT ?",
  claim: `
    INSERT INTO pkce_once VALUES (?, ?, ?, NOW + ?)
    ON CONFLICT DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at WHERE expires_at <= NOW
    RETURNING NOW AS now`,
  read: "SELECT value, NOW AS now FROM pkce_once WHERE kind = ? AND key = ? AND expires_at > NOW",
  settle: "UPDATE pkce_once SET value = ? WHERE kind = ? AND key = ? AND value = ? AND expires_at > NOW",
  release: "DELETE FROM pkce_once WHERE kind = ? AND key = ? AND value = ? AND expires_at > NOW",
  take: "DELETE FROM pkce_once WHERE kind = ? AND key = ? AND expires_at > NOW RETURNING value",
  sweepSessions: `
    DELETE FROM pkce_sessions WHERE sid IN
      (SELECT sid FROM pkce_sessions WHERE absolute_expires_at <= NOW - ${RETENTION} LIMIT ?)`,
  sweepOnce: `
    DELETE FROM pkce_once WHERE (kind, key) IN
      (SELECT kind, key FROM pkce_once WHERE expires_at <= NOW LIMIT ?)`,
}

type Statements = Record<keyof typeof SQL, Statement>

interface Statement {
  get(...values: SqliteValue[]): Columns | undefined
  all(...values: SqliteValue[]): Columns[]
  /** The number of rows that it changed. */
  run(...values: SqliteValue[]): number
}

/**
 * Prepares every statement of the store. `NOW` is SQLite's clock: it stands still within a statement and is read once the
 * statement has its lock, so a process that waited, or was stopped, judges no expiry by a time of long ago.
 */
export function prepareStatements(database: SqliteDatabase, now: (() => number) | undefined): Statements {
  function statement(sql: string): Statement {
    const prepare = (time: string) => database.prepare(sql.replace(/\bNOW\b/g, time))
    const prepared = now ? null : prepare("unixepoch()")
    const ready = () => prepared ?? prepare(String(Math.floor((now ?? Date.now)() / 1000)))
    return {
      get: (...values) => (ready().get(...values) ?? undefined) as Columns | undefined,
      all: (...values) => ready().all(...values) as Columns[],
      run: (...values) => Number(ready().run(...values).changes),
    }
  }
  const entries = Object.entries(SQL).map(([name, sql]) => [name, statement(sql)])
  return Object.fromEntries(entries) as Statements
}
