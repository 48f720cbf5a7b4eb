import { chownSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import pg from "pg"
import { installed, type OwnServer, ownServer, unprivileged } from "../support/services.js"

/** Connections to PostgreSQL that all clients share. */
export const POOL_SIZE = 2

/**
 * A PgBouncer of our own before that PostgreSQL, in transaction mode; what is not named here is as it comes. It refuses to
 * run as root. `null` where none is installed.
 */
export async function startPgBouncer(postgres: string): Promise<OwnServer | null> {
  const binary = installed("pgbouncer")
  const owner = unprivileged()
  if (!binary || owner === null) return null
  const urlOf = (port: number, database = "pkce") => `postgres://anyone@127.0.0.1:${port}/${database}`
  return ownServer({
    urlOf,
    ping: (url) => answers(urlOf(Number(new URL(url).port), "pgbouncer")),
    prepare(folder) {
      if ("uid" in owner) chownSync(folder, owner.uid, owner.gid)
    },
    command(port, folder) {
      const file = join(folder, "pgbouncer.ini")
      writeFileSync(file, configuration(new URL(postgres), port))
      return [binary, "-q", file]
    },
    owner,
  })
}

function configuration({ hostname, port, username, password, pathname }: URL, ownPort: number): string {
  const target = { host: hostname, port: port || "5432", dbname: pathname.slice(1), user: username, password }
  const quoted = (text: string) => `'${decodeURIComponent(text).replaceAll("'", "''")}'`
  const named = Object.entries(target).filter(([, value]) => value !== "")
  return `[databases]
pkce = ${named.map(([name, value]) => `${name}=${quoted(value)}`).join(" ")}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${ownPort}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${POOL_SIZE}
max_client_conn = 500
`
}

/** Asks its own console: whether PostgreSQL lets it in is for the tests to say. */
async function answers(console: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: console, connectionTimeoutMillis: 1000 })
  client.on("error", () => undefined)
  try {
    await client.connect()
    return (await client.query("SHOW VERSION")).rows.length === 1
  } catch {
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}
