import { fromColumns, type SessionColumns } from "./columns.js"
import type { GrantState, NewSession, Store } from "./contract.js"
import { qualifier } from "./postgres-schema.js"
import { prepareTexts, type StatementName, statementText } from "./postgres-statements.js"
import type { PostgresListener, PostgresPool, PostgresStoreOptions } from "./postgres-types.js"
import { createPush } from "./push.js"
import { isLive } from "./rows.js"

export { migrate, postgresSchema } from "./postgres-schema.js"
export type { PostgresListener, PostgresPool, PostgresStoreOptions } from "./postgres-types.js"

/** One sweep of at most this many rows at every so many sessions and values that are added. */
const SWEEP = { every: 64, limit: 200 }

/** Attempts at a statement that met a serialization failure or a deadlock: nothing was written, so it may be repeated. */
const ATTEMPTS = 4
const REPEATABLE = new Set(["40001", "40P01"])

/**
 * Milliseconds after which pg gives a connection up. A network that drops everything without a word would otherwise keep
 * every connection of the pool busy until the system notices, a quarter of an hour later.
 */
const SILENCE = 5_000

type Columns = Record<string, unknown>

/**
 * A store in PostgreSQL 12 or newer, for any number of processes. The pool is passed in: `Pool` of `pg`. Make the tables
 * with {@link migrate}, or with your own migrations from {@link postgresSchema}.
 *
 * A refresh is one statement. Nothing is left on a connection (no prepared names, no settings, no open transaction), so a
 * pool behind PgBouncer in transaction mode will do. Times are judged by PostgreSQL's clock, after the row's lock was got.
 * A statement that PostgreSQL has rolled back for a serialization failure or a deadlock is repeated up to three times;
 * what has no answer in two seconds is answered 503. The pool stays yours: `close` does not end it, and it
 * is your pool that needs an `error` listener.
 *
 * @param pool Anything with pg's `query({ text, values })`.
 * @throws TypeError where `schema` is not a plain lower-case name.
 * @example
 * ```ts
 * import { Client, Pool } from "pg"
 *
 * const connectionString = process.env.DATABASE_URL
 * const pool = new Pool({ connectionString, connectionTimeoutMillis: 2000 })
 * pool.on("error", () => undefined)
 * await migrate(pool)
 * const auth = createPkceServer({ ...options, store: postgresStore(pool) })
 * ```
 */
export function postgresStore(pool: PostgresPool, options: PostgresStoreOptions = {}): Store {
  const { schema = "public", listener, now: clock } = options
  const tables = qualifier(schema)
  const channel = `pkce_revoked_${schema}`
  const statements = clock
    ? (name: StatementName) => statementText(name, tables, `${Math.floor(clock() / 1000)}::bigint`)
    : prepareTexts(tables)

  async function run(name: StatementName, values: unknown[]): Promise<Columns[]> {
    const text = statements(name)
    const { rows } = await repeated(() => pool.query({ text, values, query_timeout: SILENCE }))
    return rows
  }
  const changed = async (name: StatementName, values: unknown[]) => (await run(name, values)).length > 0

  async function find(sid: string) {
    const [found] = await run("find", [sid])
    return { row: rowOf(found), now: Number(found?.now) }
  }

  async function list(name: StatementName, values: unknown[]) {
    const found = await run(name, values)
    return { rows: found.flatMap((row) => rowOf(row) ?? []), now: Number(found[0]?.now) }
  }

  async function transition(name: StatementName, values: unknown[]) {
    const [result] = await run(name, values)
    return {
      row: rowOf(result),
      now: Number(result?.now),
      moved: result?.moved === true,
      before: result?.before as GrantState,
    }
  }

  async function sweep(limit: number): Promise<number> {
    const gone = (await run("sweepSessions", [limit])).length
    return gone + (await run("sweepOnce", [limit - gone])).length
  }
  let added = 0
  function sweepNowAndThen(): void {
    if (++added % SWEEP.every === 0) sweep(SWEEP.limit).catch(() => undefined)
  }

  const push = listener && createPush((heard, lost) => subscribe(listener, channel, heard, lost))

  return {
    kind: "postgres",

    async create(session: NewSession) {
      sweepNowAndThen()
      const { sid, sub, cur, history, idleSeconds, absoluteSeconds, notAfter } = session
      const { provider, idpIss, idpSub, idpSid, device, profile, grant, grantRev, grantDueSeconds } = session
      const about = [provider, idpIss, idpSub, idpSid, device, profile, grant, grantRev, grantDueSeconds]
      for (;;) {
        const values = [sid, sub, cur, history, idleSeconds, absoluteSeconds, ...about, notAfter]
        const [made] = await run("create", values)
        const created = rowOf(made)
        if (created) return { outcome: "created", row: created, now: Number(made?.now) }
        const { row, now } = await find(sid)
        if (row) return { outcome: "exists", row, now }
        if (now > notAfter) return { outcome: "late", now }
        // It was swept between the two statements: the id is free, so try again.
      }
    },

    async advance({ sid, expect, next, history, idleSeconds }) {
      const step = [sid, expect.gen, expect.cur, next.gen, next.cur, idleSeconds]
      const { row, now, moved } =
        "ring" in history
          ? await transition("advanceRing", [...step, history.ring])
          : await transition("advanceMark", [...step, history.mark, (next.gen % 32) * 8 + 1])
      return row ? { outcome: moved ? "advanced" : "refused", row, now } : { outcome: "missing", now }
    },

    find,

    revoke: (sid, reason) => changed("revoke", [sid, reason, channel]),

    listByUser: (sub) => list("listByUser", [sub]),

    async revokeByUser(sub, reason, except = "") {
      return (await run("revokeByUser", [sub, reason, channel, except])).map(sidOf)
    },

    async revokeByProviderSession(idpIss, idpSid, reason) {
      return (await run("revokeByProviderSession", [idpIss, reason, channel, idpSid])).map(sidOf)
    },

    async leaseGrant(sid, { rev, seconds }) {
      const { row, now, moved, before } = await transition("leaseGrant", [sid, rev, seconds])
      if (!row) return { outcome: "missing", now }
      return moved ? { outcome: "leased", row, before, now } : { outcome: "refused", row, now }
    },

    async sealGrant({ sid, rev, lease, state, dueSeconds, grant, profile }) {
      const values = [sid, rev, lease, state, dueSeconds, grant ?? null, profile ?? null]
      const { row, now, moved } = await transition("sealGrant", values)
      return row ? { outcome: moved ? "sealed" : "refused", row, now } : { outcome: "missing", now }
    },

    due: (within, limit) => list("due", [within, limit, SWEEP.limit]),

    async scan(from, limit) {
      const { rows, now } = await list("scan", [from ?? "", limit])
      const next = rows.length < limit ? null : (rows.at(-1)?.sid ?? null)
      return { rows: rows.filter((row) => isLive(row, now)), next, now }
    },

    async claim(kind, key, value, ttlSeconds) {
      sweepNowAndThen()
      for (;;) {
        const [made] = await run("claim", [kind, key, value, ttlSeconds])
        if (made) return { outcome: "claimed", now: Number(made.now) }
        const [taken] = await run("read", [kind, key])
        if (taken) return { outcome: "taken", value: String(taken.value), now: Number(taken.now) }
        // It was released or it expired between the two statements: the claim is free, so try again.
      }
    },

    async peek(kind, key) {
      const [found] = await run("read", [kind, key])
      return found ? String(found.value) : null
    },

    settle: (kind, key, expected, value) => changed("settle", [kind, key, expected, value]),

    release: (kind, key, expected) => changed("release", [kind, key, expected]),

    async take(kind, key) {
      const [taken] = await run("take", [kind, key])
      return taken ? String(taken.value) : null
    },

    sweep,

    ...(push && { onRevoked: push.on, close: push.close }),
  }
}

const sidOf = ({ sid }: Columns) => String(sid)

/** The row of a left join: all of it is null where there is none. */
const rowOf = (columns: Columns | undefined) =>
  columns && columns.sid !== null ? fromColumns(columns as unknown as SessionColumns) : null

async function repeated<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const code = (error as { code?: unknown } | null)?.code
      if (attempt === ATTEMPTS || typeof code !== "string" || !REPEATABLE.has(code)) throw error
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 10 * 2 ** attempt))
    }
  }
}

async function subscribe(
  open: () => Promise<PostgresListener>,
  channel: string,
  heard: (sid: string) => void,
  lost: () => void,
) {
  const client = await open()
  client.on("error", lost)
  client.on("end", lost)
  client.on("notification", ({ payload }) => {
    if (payload) heard(payload)
  })
  try {
    await client.query(`LISTEN "${channel}"`)
  } catch (error) {
    await client.end().catch(() => undefined)
    throw error
  }
  return () => client.end()
}
