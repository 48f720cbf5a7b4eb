/** What the store needs of a driver. Parameters are text, whole numbers, bytes and null; rows are plain objects. */
export interface SqliteDatabase {
  exec(sql: string): unknown
  prepare(sql: string): SqliteStatement
}

export interface SqliteStatement {
  get(...parameters: SqliteValue[]): unknown
  all(...parameters: SqliteValue[]): unknown[]
  run(...parameters: SqliteValue[]): { changes: number | bigint }
}

export type SqliteValue = string | number | Uint8Array | null

const VERSION = 1

const TABLES = `
CREATE TABLE IF NOT EXISTS pkce_schema (version INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS pkce_sessions (
  sid TEXT PRIMARY KEY,
  sub TEXT NOT NULL,
  gen INTEGER NOT NULL,
  cur BLOB NOT NULL,
  history BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,
  idle_expires_at INTEGER NOT NULL,
  absolute_expires_at INTEGER NOT NULL,
  revoked_at INTEGER,
  revoked_reason TEXT,
  provider TEXT NOT NULL,
  idp_iss TEXT NOT NULL,
  idp_sub TEXT NOT NULL,
  idp_sid TEXT,
  device TEXT NOT NULL,
  grant_rev INTEGER NOT NULL,
  grant_state TEXT NOT NULL,
  grant_due_at INTEGER,
  lease_number INTEGER NOT NULL,
  lease_expires_at INTEGER NOT NULL,
  profile BLOB NOT NULL,
  idp_grant BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS pkce_sessions_sub ON pkce_sessions (sub);
CREATE INDEX IF NOT EXISTS pkce_sessions_idp ON pkce_sessions (idp_iss, idp_sid) WHERE idp_sid IS NOT NULL;
CREATE INDEX IF NOT EXISTS pkce_sessions_due ON pkce_sessions (grant_due_at) WHERE grant_due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS pkce_sessions_end ON pkce_sessions (absolute_expires_at);
CREATE TABLE IF NOT EXISTS pkce_once (
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pkce_once_end ON pkce_once (expires_at);
INSERT INTO pkce_schema SELECT ${VERSION} WHERE NOT EXISTS (SELECT 1 FROM pkce_schema);
`

/** Sets the connection up and creates what is missing. Safe while other processes do the same. */
export function prepareDatabase(database: SqliteDatabase): void {
  // First: from here on a lock that another process holds is waited for. G9: not longer than 2 s.
  database.exec("PRAGMA busy_timeout = 2000")
  // Switching takes an exclusive lock, so a file that is switched already is left in peace.
  if (text(database.prepare("PRAGMA journal_mode").get(), "journal_mode") !== "wal") {
    database.exec("PRAGMA journal_mode = WAL")
  }
  // R27: a step of the line that was answered must outlive a power cut, or an old token comes back as the current one.
  database.exec("PRAGMA synchronous = FULL")
  immediately(database, () => database.exec(TABLES))

  const found = Number(text(database.prepare("SELECT version FROM pkce_schema").get(), "version"))
  if (found !== VERSION) {
    throw new Error(
      `The tables of @pkce/server in this database are version ${found}; this release reads ${VERSION}.`,
    )
  }
}

function immediately(database: SqliteDatabase, work: () => void): void {
  database.exec("BEGIN IMMEDIATE")
  try {
    work()
    database.exec("COMMIT")
  } catch (error) {
    try {
      database.exec("ROLLBACK")
    } catch {
      // SQLite has ended the transaction itself; why it did is in the first error.
    }
    throw error
  }
}

const text = (row: unknown, column: string): string =>
  String((row as Record<string, unknown> | null | undefined)?.[column])
