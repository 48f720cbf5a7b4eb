import type { Buffer } from "node:buffer"
import { createHash } from "node:crypto"
import type { SessionRow } from "./contract.js"
import type { RedisConnection, RedisServer } from "./redis-client.js"

/** Keys that one command looks at, at least, and commands of one call: most keys of a database may be others. */
const LOOK = 100
const LOOKS = 16

/** Where a walk stands. */
interface Place {
  /** What the cluster was when the walk began. */
  cluster: string
  /** The server in it, by number. */
  at: number
  /** Which process answered there: a cursor means nothing to another. */
  run: string
  cursor: string
  /** Sessions that were met, and for which the page had no room. */
  left: string[]
}

/**
 * Walks all session keys by SCAN, which promises to meet every key that is there throughout, as long as one process
 * answers. Where another took its place the walk of that server begins anew, and where the cluster is not what it was the
 * whole walk: rather twice than never.
 */
export function createScan(
  redis: RedisConnection,
  prefix: string,
  liveRows: (sids: string[]) => Promise<SessionRow[]>,
) {
  // Any beginning: a client may put a prefix of its own in front of keys, which it does not do here. What is a foreign key
  // by that is found to have no row.
  const pattern = `*${prefix.replace(/[\\*?[\]]/g, "\\$&")}s:{*}`
  const sidOf = (key: string) => key.slice(key.lastIndexOf(`${prefix}s:{`) + prefix.length + 3, -1)

  async function further(servers: RedisServer[], place: Place, look: number): Promise<Place> {
    const server = servers[place.at]
    if (!server) return place
    const command = ["SCAN", place.cursor, "MATCH", pattern, "COUNT", String(look)]
    // In this order, on one connection: whoever answered the first has not gone before the second.
    const [reply, run] = await Promise.all([server.command(command), runId(server)])
    const [cursor, keys] = reply as [Buffer, Buffer[]]
    const left = [...new Set(keys.map((key) => sidOf(String(key))))]
    if (place.run !== "" && run !== place.run) return { ...place, run, cursor: "0", left }
    if (String(cursor) === "0") return { ...place, at: place.at + 1, run: "", cursor: "0", left }
    return { ...place, run, cursor: String(cursor), left }
  }

  return async (from: string | null, limit: number): Promise<{ rows: SessionRow[]; next: string | null }> => {
    const { servers, cluster } = await serversOf(redis)
    let place: Place = { cluster, at: 0, run: "", cursor: "0", left: [] }
    if (from !== null) {
      const before = JSON.parse(from) as Place
      place = before.cluster === cluster ? before : { ...place, left: before.left }
    }
    const rows: SessionRow[] = []
    const over = () => place.at >= servers.length && place.left.length === 0
    for (let looks = 0; looks < LOOKS && rows.length < limit && !over(); looks++) {
      if (place.left.length === 0) place = await further(servers, place, Math.max(LOOK, limit))
      const room = limit - rows.length
      rows.push(...(await liveRows(place.left.slice(0, room))))
      place = { ...place, left: place.left.slice(room) }
    }
    return { rows, next: over() ? null : JSON.stringify(place) }
  }
}

/** Every server that holds keys, always in the same order, and a name for the cluster as it is now. */
async function serversOf(redis: RedisConnection): Promise<{ servers: RedisServer[]; cluster: string }> {
  if (!redis.masters) {
    return { servers: [{ name: "", command: (args) => redis.command("", args) }], cluster: "" }
  }
  const servers = redis.masters().sort((a, b) => (a.name < b.name ? -1 : 1))
  const slots = (await servers[0]?.command(["CLUSTER", "SLOTS"])) as Slots | undefined
  const ranges = (slots ?? []).map(([from, to, [host, port, id]]) => ({
    owner: String(id ?? `${host}:${port}`),
    range: `${from}-${to}`,
  }))
  // A client forgets a server whose connection broke. Its sessions must not be passed over for that.
  if (servers.length === 0 || new Set(ranges.map(({ owner }) => owner)).size !== servers.length)
    throw new Error("a server of the cluster is not connected")
  const text = [...servers.map(({ name }) => name), ...ranges.map(({ owner, range }) => `${range} ${owner}`)]
  return { servers, cluster: createHash("sha256").update(text.sort().join("\n")).digest("base64url") }
}

type Slots = [from: number, to: number, owner: [host: Buffer | null, port: number, id?: Buffer]][]

/** Empty where the account may not ask. */
async function runId(server: RedisServer): Promise<string> {
  const info = await server.command(["INFO", "server"]).catch(() => "")
  return /^run_id:(\w+)/m.exec(String(info))?.[1] ?? ""
}
