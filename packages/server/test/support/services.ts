import { execFileSync, spawn } from "node:child_process"
import { randomBytes, randomInt } from "node:crypto"
import { chownSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Redis } from "ioredis"
import pg from "pg"
import { test } from "vitest"

/** A server that the tests may use. `close` stops it where it was started for them, and does nothing else. */
export interface Service {
  url: string
  close(): Promise<void>
}

/** A private server: it can be killed and started again on the same port and files. */
export interface OwnServer extends Service {
  port: number
  folder: string
  kill(): Promise<void>
  start(): Promise<void>
}

/** PostgreSQL: `DATABASE_URL`, else the usual local one, else an own one. `null` where there is none to be had. */
export const findPostgres = (): Promise<Service | null> =>
  find(process.env.DATABASE_URL, "postgres://postgres@127.0.0.1:5432/postgres", pingPostgres, startPostgres)

/** Redis: `REDIS_URL`, else the usual local one, else an own one. `null` where there is none to be had. */
export const findRedis = (): Promise<Service | null> =>
  find(process.env.REDIS_URL, "redis://127.0.0.1:6379", pingRedis, startRedis)

/** A name for the schema or the key prefix of one test run. */
export const ownName = (): string => `pkce_test_${randomBytes(6).toString("hex")}`

/** Says loudly, as a skipped test with a name, what could not be tested. */
export function notRun(what: string): void {
  test(`NOT RUN: ${what}: no server answers and no binary is installed to start one`, (context) =>
    context.skip())
}

/** A Redis of our own, without files unless `settings` ask for them. `null` where none is installed. */
export async function startRedis(
  settings: Record<string, string> = {},
  program: "redis-server" | "valkey-server" = "redis-server",
): Promise<OwnServer | null> {
  const binary = installed(program)
  if (!binary) return null
  const own = { save: "", appendonly: "no", bind: "127.0.0.1", ...settings }
  return ownServer({
    findPort: "cluster-enabled" in own ? clusterPort : freePort,
    urlOf: (port) => `redis://127.0.0.1:${port}`,
    ping: pingRedis,
    command: (port, folder) => [
      binary,
      ...["--port", String(port), "--dir", folder],
      ...Object.entries(own).flatMap(([name, value]) => [`--${name}`, value]),
    ],
  })
}

/** A PostgreSQL of our own. It refuses to run as root, so it then runs as the user `postgres`. */
async function startPostgres(): Promise<OwnServer | null> {
  const binary = installed("postgres")
  const initdb = installed("initdb")
  const owner = unprivileged()
  if (!binary || !initdb || owner === null) return null
  return ownServer({
    urlOf: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
    ping: pingPostgres,
    prepare(folder) {
      if ("uid" in owner) chownSync(folder, owner.uid, owner.gid)
      const options = ["-D", join(folder, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"]
      execFileSync(initdb, options, { ...owner, stdio: "ignore" })
    },
    command: (port, folder) => [
      binary,
      ...["-D", join(folder, "data"), "-p", String(port), "-k", "", "-h", "127.0.0.1"],
    ],
    owner,
  })
}

async function find(
  named: string | undefined,
  usual: string,
  ping: (url: string) => Promise<boolean>,
  start: () => Promise<Service | null>,
): Promise<Service | null> {
  if (named) return { url: named, close: async () => undefined }
  if (await ping(usual)) return { url: usual, close: async () => undefined }
  return start()
}

async function pingPostgres(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1000 })
  client.on("error", () => undefined)
  try {
    await client.connect()
    return (await client.query("SELECT 1")).rows.length === 1
  } catch {
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}

export async function pingRedis(url: string): Promise<boolean> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 1000 })
  client.on("error", () => undefined)
  try {
    await client.connect()
    return (await client.ping()) === "PONG"
  } catch {
    return false
  } finally {
    client.disconnect()
  }
}

interface Recipe {
  findPort?(): Promise<number>
  urlOf(port: number): string
  ping(url: string): Promise<boolean>
  prepare?(folder: string): void
  command(port: number, folder: string): string[]
  owner?: Owner
}

/** Whom the server runs as; empty for ourselves. */
type Owner = { uid: number; gid: number } | Record<never, never>

/** The tests may end in any way, killed too: then the shell's input ends, and the server with it. SIGKILL: no farewell. */
const LEASH =
  'exec 3<&0; "$@" </dev/null 3<&- & server=$!; (cat <&3 >/dev/null; kill -9 $server) & wait $server'

/** Starts a server and waits until it answers. */
export async function ownServer(recipe: Recipe): Promise<OwnServer> {
  const { findPort = freePort, urlOf, ping, prepare, command, owner = {} } = recipe
  const folder = mkdtempSync(join(tmpdir(), "pkce-server-"))
  prepare?.(folder)
  const port = await findPort()
  let child: ReturnType<typeof spawn> | null = null
  let ended: Promise<unknown> = Promise.resolve()
  const stop = (): void => {
    child?.stdin?.destroy()
  }

  const server: OwnServer = {
    url: urlOf(port),
    port,
    folder,
    async start() {
      const [binary = "", ...args] = command(port, folder)
      const stdio = ["pipe", "ignore", "ignore"] as const
      const started = spawn("sh", ["-c", LEASH, "sh", binary, ...args], { ...owner, stdio: [...stdio] })
      child = started
      ended = new Promise((resolve) => started.once("close", resolve))
      while (!(await ping(server.url))) {
        if (started.exitCode !== null) throw new Error(`${binary} ended with ${started.exitCode}`)
        await sleep(25)
      }
    },
    async kill() {
      stop()
      await ended
    },
    async close() {
      await server.kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  try {
    await server.start()
  } catch (error) {
    await server.close()
    throw error
  }
  return server
}

async function freePort(wanted = 0): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve, reject) => {
    probe.once("error", reject)
    probe.listen(wanted, "127.0.0.1", resolve)
  })
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  if (address === null || typeof address === "string") throw new Error("no port")
  return address.port
}

/** A node of a cluster listens at its port plus 10,000 as well: both are below those that the system gives away itself. */
async function clusterPort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 20_000)
    try {
      await freePort(port + 10_000)
      return await freePort(port)
    } catch {
      // One of the two is taken.
    }
  }
}

/** The path of a program: from PATH, or from where Debian keeps PostgreSQL's and the servers'. */
export function installed(program: string): string | null {
  const debian = "/usr/lib/postgresql"
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"]
  for (const version of entries(debian).sort().reverse()) folders.push(join(debian, version, "bin"))
  const folder = folders.find((folder) => folder !== "" && entries(folder).includes(program))
  return folder === undefined ? null : join(folder, program)
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** Whom a server runs as that refuses root. `null` where there is no such user. */
export function unprivileged(): Owner | null {
  if (process.getuid?.() !== 0) return {}
  try {
    const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }))
    return { uid: id("-u"), gid: id("-g") }
  } catch {
    return null
  }
}
