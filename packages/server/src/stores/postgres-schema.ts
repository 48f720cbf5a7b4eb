import type { PostgresPool } from "./postgres-types.js"

/** The version of the tables that this release reads and writes. */
const VERSION = 1

/** Serializes the migrations of all processes: a number of our own in the space of advisory locks. */
const LOCK = 7_636_825_297_000

/** `"schema".` in front of every name: `search_path` belongs to a connection, and a pool lends us any. */
export function qualifier(schema: string): string {
  // It stands in the text of statements, so nothing that needs quoting is let in; 40, for the name of the channel.
  if (!/^[a-z_][a-z0-9_]{0,39}$/.test(schema)) {
    throw new TypeError("postgresStore: `schema` must be a plain lower-case name of at most 40 characters.")
  }
  return `"${schema}".`
}

// The columns are in this order so that little is lost to padding. None that a refresh changes is in an index, nor in the
// condition of one: such updates leave the indexes alone (HOT). `idp_sid` is the provider's, of any length: a hash takes half
// the bytes of a tree, and has no longest entry at which a login would fail.
function tables(schema: string): string {
  const q = qualifier(schema)
  return `CREATE TABLE IF NOT EXISTS ${q}pkce_schema (version integer NOT NULL);
CREATE TABLE IF NOT EXISTS ${q}pkce_sessions (
  gen bigint NOT NULL,
  created_at bigint NOT NULL,
  seen_at bigint NOT NULL,
  idle_expires_at bigint NOT NULL,
  absolute_expires_at bigint NOT NULL,
  revoked_at bigint,
  grant_rev bigint NOT NULL,
  grant_due_at bigint,
  lease_number bigint NOT NULL,
  lease_expires_at bigint NOT NULL,
  history bytea NOT NULL,
  profile bytea NOT NULL,
  cur bytea NOT NULL,
  sid text COLLATE "C" PRIMARY KEY,
  sub text COLLATE "C" NOT NULL,
  revoked_reason text,
  provider text NOT NULL,
  idp_iss text COLLATE "C" NOT NULL,
  idp_sub text NOT NULL,
  idp_sid text COLLATE "C",
  device text NOT NULL,
  grant_state text NOT NULL,
  idp_grant bytea
);
CREATE INDEX IF NOT EXISTS pkce_sessions_sub ON ${q}pkce_sessions (sub);
CREATE INDEX IF NOT EXISTS pkce_sessions_idp ON ${q}pkce_sessions USING hash (idp_sid) WHERE idp_sid IS NOT NULL;
CREATE INDEX IF NOT EXISTS pkce_sessions_due ON ${q}pkce_sessions (grant_due_at) WHERE grant_due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS pkce_sessions_end ON ${q}pkce_sessions (absolute_expires_at);
CREATE TABLE IF NOT EXISTS ${q}pkce_once (
  expires_at bigint NOT NULL,
  kind text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  value text NOT NULL,
  PRIMARY KEY (kind, key)
);
CREATE INDEX IF NOT EXISTS pkce_once_end ON ${q}pkce_once (expires_at);
INSERT INTO ${q}pkce_schema SELECT ${VERSION} WHERE NOT EXISTS (SELECT 1 FROM ${q}pkce_schema);`
}

/**
 * The tables as SQL, for teams whose migrations are files: what {@link migrate} runs, for the schema `public`. Idempotent.
 *
 * @example
 * ```ts
 * await writeFile("migrations/001_pkce.sql", postgresSchema)
 * ```
 */
export const postgresSchema: string = tables("public")

/**
 * Creates what is missing: `pkce_schema`, `pkce_sessions`, `pkce_once` and their indexes. Run it at every start if you
 * like: it is idempotent, and processes that start together wait for each other.
 *
 * @param options `schema`: where the tables live, default `public`; it must exist, and be the store's `schema` too.
 * @throws Error where the tables were made by a later version; whatever the driver throws where they cannot be made.
 * @example
 * ```ts
 * const pool = new Pool({ connectionString: process.env.DATABASE_URL })
 * await migrate(pool)
 * ```
 */
export async function migrate(pool: PostgresPool, options: { schema?: string } = {}): Promise<void> {
  const schema = options.schema ?? "public"
  // One text without parameters is one implicit transaction on one connection, also behind PgBouncer; a failure leaves
  // no transaction open, as a BEGIN of ours would. The lock ends with it.
  await pool.query({ text: `SELECT pg_advisory_xact_lock(${LOCK});\n${tables(schema)}` })
  const { rows } = await pool.query({ text: `SELECT version FROM ${qualifier(schema)}pkce_schema` })
  const found = Number(rows[0]?.version)
  if (found !== VERSION) {
    throw new Error(
      `The tables of @pkce/server in this database are version ${found}; this release reads ${VERSION}.`,
    )
  }
}
