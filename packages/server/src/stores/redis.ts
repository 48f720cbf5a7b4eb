import { Buffer } from "node:buffer"
import { createHash } from "node:crypto"
import type { NewSession, OnceKind, SessionRow, Store } from "./contract.js"
import { createPush } from "./push.js"
import { connection, evaluate, type RunScript } from "./redis-client.js"
import { createDueIndex } from "./redis-due.js"
import { createEndedSessions, createEvictionCheck, createReplicaWait } from "./redis-durability.js"
import { codeOf, packed, stateOf, unpacked } from "./redis-row.js"
import { createScan } from "./redis-scan.js"
import { SCRIPTS } from "./redis-scripts.js"
import type {
  IoredisClient,
  NodeRedisClient,
  NodeRedisCluster,
  NodeRedisSentinel,
  RedisArgument,
  RedisStoreOptions,
} from "./redis-types.js"
import { isLive } from "./rows.js"

export type {
  IoredisClient,
  NodeRedisClient,
  NodeRedisCluster,
  NodeRedisSentinel,
  RedisArgument,
  RedisStoreOptions,
} from "./redis-types.js"

type Reply = [now: number, outcome: Buffer, value?: Buffer | null, before?: number]
type RowScript = "create" | "advance" | "find" | "lease" | "seal"

/**
 * A store in Redis 6.2 or newer, or Valkey, for any number of processes; alone, with Sentinel, or as a cluster. The client
 * is passed in: `ioredis`, or `redis` 5 and newer, connected.
 *
 * A refresh is one script on one key, as every transition of a row is; a login takes two, one more where the provider sends
 * a `sid`, and one more where its tokens can be refreshed. What goes through all sessions asks for each row: `due` by one
 * index for the whole fleet, `scan` by Redis's `SCAN` on every server of a cluster. Every key expires by itself, so there is
 * nothing to sweep. Times are judged by the server's clock, inside the script. Sessions are data, not a cache: the server
 * must have `maxmemory-policy noeviction` and should have `appendonly yes`. A server that lost the last writes logs nobody
 * out. Ended sessions wait for one replica where there are any, and are ended again when the connection was made anew, to
 * the same server or to the one in its place. What has no answer in two seconds is answered 503.
 *
 * The client stays yours: `close` closes only the connection that the store has made, a duplicate that listens for the
 * sessions which other processes end.
 *
 * @example
 * ```ts
 * import { Redis } from "ioredis"
 *
 * const redis = new Redis(process.env.REDIS_URL ?? "redis://127.0.0.1")
 * const auth = createPkceServer({ ...options, store: redisStore(redis) })
 * ```
 */
export function redisStore(
  client: IoredisClient | NodeRedisClient | NodeRedisSentinel | NodeRedisCluster,
  options: RedisStoreOptions = {},
): Store {
  const { prefix = "pkce:", now: clock } = options
  const warn = options.onWarning ?? ((text: string) => console.warn(`@pkce/server: ${text}`))
  const redis = connection(client)
  const channel = `${prefix}revoked`
  // Braces: a cluster places a key by what stands in them.
  const sessionKey = (sid: string) => `${prefix}s:{${sid}}`
  const userKey = (sub: string) => `${prefix}u:{${sub}}`
  const providerKey = (idpIss: string, idpSid: string) => `${prefix}p:{${hashOf(idpIss, idpSid)}}`
  const onceKey = (kind: OnceKind, key: string) => `${prefix}o:${kind}:{${key}}`

  const checkEviction = createEvictionCheck(redis, sessionKey(""), warn)
  const replicated = createReplicaWait(redis)
  const ended = createEndedSessions(revokeHere)
  const stopEndingAgain = redis.onReady(ended.endAgain)
  const push = createPush(redis.subscription(channel))

  const run: RunScript = <T>(name: keyof typeof SCRIPTS, key: string, args: (RedisArgument | number)[]) => {
    checkEviction()
    const time = clock ? String(Math.floor(clock() / 1000)) : ""
    const texts = args.map((arg) => (typeof arg === "number" ? String(arg) : arg))
    return evaluate(redis, SCRIPTS[name], key, [time, ...texts]) as Promise<T>
  }

  async function rowFrom(name: RowScript, sid: string, args: (RedisArgument | number)[]) {
    const [now, outcome, raw, before] = await run<Reply>(name, sessionKey(sid), args)
    return { now, outcome: String(outcome), row: raw ? unpacked(sid, raw) : null, before }
  }

  const find = (sid: string) => rowFrom("find", sid, [])

  async function liveRows(sids: string[]): Promise<SessionRow[]> {
    const found = await Promise.all(sids.map(find))
    return found.flatMap(({ row, now }) => (row && isLive(row, now) ? [row] : []))
  }

  const dueIndex = createDueIndex(run, `${prefix}d:{due}`, find)
  const scan = createScan(redis, prefix, liveRows)

  async function revokeHere(sid: string, reason: string, sub = ""): Promise<boolean> {
    return (await run<number>("revoke", sessionKey(sid), [reason, sub, channel, sid])) === 1
  }

  async function revoke(sid: string, reason: string, sub?: string): Promise<boolean> {
    if (!(await revokeHere(sid, reason, sub))) return false
    ended.add(sid, reason)
    await replicated()
    return true
  }

  /** The entries may be of sessions that were never made, or are over: each is verified where it is used. */
  async function listed(key: string): Promise<{ sids: string[]; now: number }> {
    const [now, sids] = await run<[number, Buffer[]]>("listed", key, [])
    return { sids: sids.map(String), now }
  }

  return {
    kind: "redis",

    async create(session: NewSession) {
      const { sid, sub, cur, history, idleSeconds, absoluteSeconds, notAfter, grantRev } = session
      const { idpIss, idpSid, grantDueSeconds } = session
      // First the indexes, then the row: a crash between the two leaves an entry that leads nowhere, and never a session
      // that nobody can end by its user.
      const owners = [userKey(sub), ...(idpSid === null ? [] : [providerKey(idpIss, idpSid)])]
      await Promise.all([
        ...owners.map((key) => run("enlist", key, [absoluteSeconds, sid])),
        grantDueSeconds !== null && dueIndex.schedule(sid, grantDueSeconds, absoluteSeconds),
      ])
      const { about, sealed } = packed(session)
      const line = [Buffer.from(history), Buffer.from(cur)]
      const limits = [notAfter, idleSeconds, absoluteSeconds, grantRev, grantDueSeconds ?? ""]
      const { outcome, row, now } = await rowFrom("create", sid, [...limits, ...line, sub, about, sealed])
      if (!row) return { outcome: "late", now }
      return { outcome: outcome === "created" ? "created" : "exists", row, now }
    },

    async advance({ sid, expect, next, history, idleSeconds }) {
      const step = [expect.gen, Buffer.from(expect.cur), next.gen, Buffer.from(next.cur), idleSeconds]
      const ring =
        "ring" in history ? [Buffer.from(history.ring), ""] : [Buffer.from(history.mark), (next.gen % 32) * 8]
      const { outcome, row, now } = await rowFrom("advance", sid, [...step, ...ring])
      if (!row) return { outcome: "missing", now }
      return { outcome: outcome === "advanced" ? "advanced" : "refused", row, now }
    },

    async find(sid) {
      const { row, now } = await find(sid)
      return { row, now }
    },

    revoke: (sid, reason) => revoke(sid, reason),

    async listByUser(sub) {
      const { sids, now } = await listed(userKey(sub))
      const rows = (await liveRows(sids)).filter((row) => row.sub === sub)
      return { rows: rows.sort(newestFirst), now }
    },

    async revokeByUser(sub, reason, except) {
      const { sids } = await listed(userKey(sub))
      const theirs = sids.filter((sid) => sid !== except)
      const gone = await Promise.all(theirs.map((sid) => revoke(sid, reason, sub)))
      return theirs.filter((_, i) => gone[i])
    },

    async revokeByProviderSession(idpIss, idpSid, reason) {
      const { sids } = await listed(providerKey(idpIss, idpSid))
      const theirs = (await liveRows(sids)).filter((row) => row.idpIss === idpIss && row.idpSid === idpSid)
      const gone = await Promise.all(theirs.map(({ sid }) => revoke(sid, reason)))
      return theirs.filter((_, i) => gone[i]).map(({ sid }) => sid)
    },

    async leaseGrant(sid, { rev, seconds }) {
      const { outcome, row, now, before } = await rowFrom("lease", sid, [rev, seconds])
      if (!row) return { outcome: "missing", now }
      if (outcome !== "leased" || before === undefined) return { outcome: "refused", row, now }
      return { outcome: "leased", row, before: stateOf(before), now }
    },

    async sealGrant({ sid, rev, lease, state, dueSeconds, grant, profile }) {
      // As with create: the entry comes first. A seal that is refused leaves one that is too early, and is put right.
      if (dueSeconds !== null) await dueIndex.schedule(sid, dueSeconds)
      const given = `${grant ? "g" : ""}${profile ? "p" : ""}`
      const values = [given, Buffer.from(grant ?? []), Buffer.from(profile ?? [])]
      const fields = [rev, lease, codeOf(state), dueSeconds ?? "", ...values]
      const { outcome, row, now } = await rowFrom("seal", sid, fields)
      if (!row) return { outcome: "missing", now }
      return { outcome: outcome === "sealed" ? "sealed" : "refused", row, now }
    },

    due: dueIndex.due,

    async scan(from, limit) {
      // Asked first: a cluster's client that has answered knows its servers.
      const { now } = await find("")
      return { ...(await scan(from, limit)), now }
    },

    async claim(kind, key, value, ttlSeconds) {
      const [now, , taken] = await run<Reply>("claim", onceKey(kind, key), [value, ttlSeconds])
      return taken ? { outcome: "taken", value: String(taken), now } : { outcome: "claimed", now }
    },

    async peek(kind, key) {
      const value = await run<Buffer | null>("peek", onceKey(kind, key), [])
      return value === null ? null : String(value)
    },

    async settle(kind, key, expected, value) {
      return (await run<number>("settle", onceKey(kind, key), [expected, value])) === 1
    },

    async release(kind, key, expected) {
      return (await run<number>("release", onceKey(kind, key), [expected])) === 1
    },

    async take(kind, key) {
      const taken = await run<Buffer | null>("take", onceKey(kind, key), [])
      return taken === null ? null : String(taken)
    },

    /** Nothing to do: every key has its time to live. */
    async sweep() {
      return 0
    },

    onRevoked: push.on,

    close() {
      stopEndingAgain()
      return push.close()
    },
  }
}

/** The lengths keep two pairs apart that are one text together. Sixteen bytes do: what is listed is verified. */
const hashOf = (...texts: string[]): string => {
  const prefixed = texts.map((text) => `${Buffer.byteLength(text)}:${text}`)
  return createHash("sha256").update(prefixed.join("")).digest("base64url").slice(0, 22)
}

const newestFirst = (a: SessionRow, b: SessionRow) => b.createdAt - a.createdAt
