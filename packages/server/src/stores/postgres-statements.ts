import { RETENTION } from "./rows.js"

const live = (row: string) =>
  `${row}.revoked_at IS NULL AND ${row}.idle_expires_at > NOW AND ${row}.absolute_expires_at > NOW`

// The lock comes first and the time is read from behind it: a statement that waited for another process's commit judges
// by the row as that left it, and by the time at which it got it (F13). The clock's function is asked once for each row.
const judged = (which: string) => `
WITH held AS MATERIALIZED (SELECT * FROM SESSIONS WHERE ${which} FOR NO KEY UPDATE),
judged AS MATERIALIZED (SELECT held.*, NOW AS at FROM held)`

const judgedLive = "j.revoked_at IS NULL AND j.idle_expires_at > j.at AND j.absolute_expires_at > j.at"

// The refused row comes from the lock as well: a second look at the table would show it as it was when the statement began.
const transition = (set: string, where: string) => `${judged("sid = $1")},
moved AS (
  UPDATE SESSIONS AS s SET ${set} FROM judged AS j WHERE s.sid = j.sid AND ${where} AND ${judgedLive}
  RETURNING s.*, j.at, j.grant_state AS before
),
outcome AS (
  SELECT true AS moved, m.* FROM moved AS m
  UNION ALL
  SELECT false, j.*, j.grant_state FROM judged AS j WHERE NOT EXISTS (SELECT FROM moved)
)
SELECT o.*, coalesce(o.at, NOW) AS now FROM (VALUES (0)) AS always LEFT JOIN outcome AS o ON true`

const advance = (history: string) =>
  transition(
    `gen = $4::bigint, cur = $5::bytea, history = ${history},
    seen_at = greatest(j.seen_at, j.at), idle_expires_at = least(j.at + $6::bigint, j.absolute_expires_at)`,
    "j.gen = $2::bigint AND j.cur = $3::bytea",
  )

// Nobody can use what is sealed in there any more: keep no more of a dead session than its name.
const revoke = (which: string) => `${judged(which)},
ended AS (
  UPDATE SESSIONS AS s SET revoked_at = j.at, revoked_reason = $2, profile = '', idp_grant = NULL,
    grant_due_at = NULL
  FROM judged AS j WHERE s.sid = j.sid AND ${judgedLive}
  RETURNING s.sid
)
SELECT sid, pg_notify($3, sid) FROM ended`

// The clock as a subquery: an index cannot be searched by a function whose value may change meanwhile. What another process
// is about to delete is left to it, so that no sweep waits for another.
const sweep = (table: string, end: string, time: string) => `
DELETE FROM ${table} WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM ${table} WHERE ${end} <= (SELECT ${time}) ORDER BY ${end} LIMIT $1 FOR UPDATE SKIP LOCKED
)) RETURNING 1`

/**
 * Every statement of the store. Each is complete in itself: no transaction, no prepared name, no setting outlives it, so
 * that it may go to any connection of a pool, also behind PgBouncer in transaction mode. `NOW` is the clock.
 */
const STATEMENTS = {
  create: `
    WITH clock AS MATERIALIZED (SELECT NOW AS at)
    INSERT INTO SESSIONS (sid, sub, gen, cur, history, created_at, seen_at, idle_expires_at, absolute_expires_at,
      provider, idp_iss, idp_sub, idp_sid, device, profile, idp_grant, grant_rev, grant_due_at,
      grant_state, lease_number, lease_expires_at)
    SELECT $1, $2, 0, $3::bytea, $4::bytea, at, at, at + least($5::bigint, $6::bigint), at + $6::bigint,
      $7, $8, $9, $10, $11, $12::bytea, $13::bytea, $14::bigint, at + $15::bigint, 'ok', 0, 0
    FROM clock WHERE at <= $16::bigint
    ON CONFLICT (sid) DO NOTHING RETURNING *, created_at AS now`,
  advanceMark: advance("overlay(j.history PLACING $7::bytea FROM $8::integer FOR 8)"),
  advanceRing: advance("$7::bytea"),
  find: `
    SELECT s.*, NOW AS now FROM (VALUES (0)) AS always LEFT JOIN SESSIONS AS s ON s.sid = $1`,
  revoke: revoke("sid = $1"),
  // In one order everywhere, so that two of them never wait for each other.
  revokeByUser: revoke("sub = $1 AND sid <> $4 AND revoked_at IS NULL ORDER BY sid"),
  revokeByProviderSession: revoke("idp_iss = $1 AND idp_sid = $4 AND revoked_at IS NULL ORDER BY sid"),
  leaseGrant: transition(
    `grant_state = CASE WHEN j.grant_state IN ('ok', 'refused') THEN 'uncertain' ELSE 'retried' END,
    lease_number = j.lease_number + 1, lease_expires_at = j.at + $3::bigint`,
    `j.grant_rev = $2::bigint AND j.grant_state NOT IN ('lost', 'revoked') AND j.idp_grant IS NOT NULL
    AND j.lease_expires_at <= j.at`,
  ),
  sealGrant: transition(
    `grant_rev = j.grant_rev + ($6::bytea IS NOT NULL)::integer, idp_grant = coalesce($6::bytea, s.idp_grant),
    profile = coalesce($7::bytea, s.profile), grant_state = $4, grant_due_at = j.at + $5::bigint, lease_expires_at = 0`,
    "j.grant_rev = $2::bigint AND (j.lease_number = $3::bigint OR j.lease_expires_at <= j.at)",
  ),
  // What expired unrefreshed would stand first in the index for as long as its row is kept, and each search walk over it.
  due: `
    WITH clock AS MATERIALIZED (SELECT NOW AS at),
    forgotten AS (
      UPDATE SESSIONS SET grant_due_at = NULL WHERE ctid = ANY (ARRAY(
        SELECT s.ctid FROM SESSIONS AS s WHERE s.grant_due_at <= (SELECT at FROM clock) AND NOT (${live("s")})
        ORDER BY s.grant_due_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED
      ))
    )
    SELECT s.*, clock.at AS now FROM clock LEFT JOIN LATERAL (
      SELECT * FROM SESSIONS AS d
      WHERE d.grant_due_at <= (SELECT at FROM clock) + $1::bigint AND d.lease_expires_at <= NOW AND ${live("d")}
      ORDER BY d.grant_due_at LIMIT $2
    ) AS s ON true ORDER BY s.grant_due_at`,
  scan: `
    SELECT s.*, NOW AS now FROM (VALUES (0)) AS always
    LEFT JOIN LATERAL (SELECT * FROM SESSIONS WHERE sid > $1 ORDER BY sid LIMIT $2) AS s ON true ORDER BY s.sid`,
  listByUser: `
    SELECT s.*, NOW AS now FROM (VALUES (0)) AS always
    LEFT JOIN SESSIONS AS s ON s.sub = $1 AND ${live("s")} ORDER BY s.created_at DESC`,
  claim: `
    INSERT INTO ONCE AS o (kind, key, value, expires_at) VALUES ($1, $2, $3, NOW + $4::bigint)
    ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, expires_at = NOW + $4::bigint
      WHERE o.expires_at <= NOW
    RETURNING NOW AS now`,
  read: `
    SELECT value, NOW AS now FROM ONCE WHERE kind = $1 AND key = $2 AND expires_at > NOW`,
  settle: `
    UPDATE ONCE SET value = $4 WHERE kind = $1 AND key = $2 AND value = $3 AND expires_at > NOW RETURNING 1`,
  release: `
    DELETE FROM ONCE WHERE kind = $1 AND key = $2 AND value = $3 AND expires_at > NOW RETURNING 1`,
  take: `
    DELETE FROM ONCE WHERE kind = $1 AND key = $2 AND expires_at > NOW RETURNING value`,
  sweepSessions: sweep("SESSIONS", "absolute_expires_at", `NOW - ${RETENTION}`),
  sweepOnce: sweep("ONCE", "expires_at", "NOW"),
}

export type StatementName = keyof typeof STATEMENTS

/** The text of a statement: with the tables of `qualifier`, and `time` for its clock. */
export function statementText(name: StatementName, qualifier: string, time: string): string {
  return STATEMENTS[name]
    .replace(/\bSESSIONS\b/g, `${qualifier}pkce_sessions`)
    .replace(/\bONCE\b/g, `${qualifier}pkce_once`)
    .replace(/\bNOW\b/g, time)
}

/** PostgreSQL's clock at this very moment, in whole seconds; `now()` would be the time at which the transaction began. */
const SERVER_TIME = "floor(extract(epoch FROM clock_timestamp()))::bigint"

/** The texts by PostgreSQL's own clock, each made once. */
export function prepareTexts(qualifier: string): (name: StatementName) => string {
  const texts = new Map<StatementName, string>()
  return (name) => {
    const text = texts.get(name) ?? statementText(name, qualifier, SERVER_TIME)
    texts.set(name, text)
    return text
  }
}
