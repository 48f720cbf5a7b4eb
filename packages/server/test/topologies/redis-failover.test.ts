import { Redis } from "ioredis"
import { createClient, createSentinel } from "redis"
import { afterAll, describe, expect, test, vi } from "vitest"
import { redisStore } from "../../src/stores/redis.js"
import { created, id } from "../../src/testing/conformance/case.js"
import { createRig, newVerifier, requestOf, s256 } from "../support/line.js"
import { notRun, type OwnServer, startRedis } from "../support/services.js"
import { openGate } from "./gate.js"
import { hearing, PATIENCE, persisted } from "./line-on-store.js"
import { type Replicated, startReplicated } from "./replicated.js"
import { startSentinel, WATCHED } from "./sentinel.js"

type Client = Parameters<typeof redisStore>[0]

/** How a process comes to the primary, whichever that is. */
interface Access {
  connect(): Promise<Client>
  /** The primary is dead: makes the replica the new one, if nobody else does. */
  promote(): Promise<void>
  /** Whether nothing happens until `promote`. */
  byHand: boolean
}

const closing: (() => unknown)[] = []
afterAll(async () => {
  for (const end of closing.reverse())
    await Promise.resolve()
      .then(end)
      .catch(() => undefined)
})

async function byIoredis(settings: object): Promise<Client> {
  const client = new Redis(settings)
  client.on("error", () => undefined)
  closing.push(() => client.disconnect())
  return client
}

async function byRedis(url: string): Promise<Client> {
  const client = createClient({ url })
  client.on("error", () => undefined)
  closing.push(() => client.destroy())
  return client.connect()
}

async function movingAddress(
  { primary, replica, onReplica }: Replicated,
  connect: (port: number) => Promise<Client>,
) {
  const gate = await openGate(primary.port)
  closing.push(gate.close)
  async function promote(): Promise<void> {
    await onReplica.call("REPLICAOF", "NO", "ONE")
    gate.lead(replica.port)
  }
  return { connect: () => connect(gate.port), promote, byHand: true }
}

const accesses: Record<string, (servers: Replicated) => Promise<Access>> = {
  "ioredis, at an address that moves": (servers) =>
    movingAddress(servers, (port) => byIoredis({ host: "127.0.0.1", port })),

  "redis, at an address that moves": (servers) =>
    movingAddress(servers, (port) => byRedis(`redis://127.0.0.1:${port}`)),

  async "ioredis, by a Sentinel"({ primary }) {
    const { port, close } = await startSentinel(primary)
    closing.push(close)
    const sentinels = [{ host: "127.0.0.1", port }]
    return {
      connect: () => byIoredis({ sentinels, name: WATCHED }),
      promote: async () => undefined,
      byHand: false,
    }
  },

  async "redis, by a Sentinel"({ primary }) {
    const { port, close } = await startSentinel(primary)
    closing.push(close)
    const sentinelRootNodes = [{ host: "127.0.0.1", port }]
    return {
      async connect() {
        const client = createSentinel({ name: WATCHED, sentinelRootNodes })
        client.on("error", () => undefined)
        closing.push(() => client.destroy())
        return client.connect()
      },
      promote: async () => undefined,
      byHand: false,
    }
  },
}

const probe: OwnServer | null = await startRedis()
await probe?.close()
if (!probe) notRun("the failover of a replicated Redis, also by a Sentinel")

describe.runIf(probe)("a primary that dies, and its replica in its place", { timeout: 60_000 }, () => {
  test.concurrent.each(Object.entries(accesses))("R9, R10: %s", async (_, open) => {
    const servers = await replicated()
    const access = await open(servers)
    const [client, another] = [await access.connect(), await access.connect()]
    const rig = createRig({ store: ({ now }) => redisStore(client, { now }) })
    const onReplica = redisStore(servers.onReplica, { now: rig.clock.now })
    const listener = redisStore(another)
    closing.push(
      () => listener.close?.(),
      () => rig.store.close?.(),
    )
    listener.onRevoked?.(() => undefined)

    const login = async () => {
      const holder = await rig.login()
      await rig.refresh(holder)
      return holder
    }
    const [ahead, idle, ended, endedLate] = [await login(), await login(), await login(), await login()]
    expect(await rig.store.revoke(ended.sid, "logout")).toBe(true)
    await hearing(listener, rig.store)

    // What the primary does from now on is lost.
    await servers.cut()
    for (let i = 0; i < 3; i++) await rig.refresh(ahead)
    expect(await rig.store.revoke(endedLate.sid, "logout")).toBe(true)
    expect((await onReplica.find(ahead.sid)).row?.gen).toBe(1)
    expect((await onReplica.find(endedLate.sid)).row?.revokedAt).toBeNull()
    await servers.primary.kill()
    if (access.byHand) {
      await expect(rig.line.refresh(requestOf(ahead))).rejects.toMatchObject({ status: 503 })
    }
    await access.promote()

    // The line goes on, also from a generation that the new primary has never seen.
    for (const holder of [ahead, idle]) expect((await persisted(rig, holder)).outcome).toBe("granted")
    expect((await rig.row(ahead.sid)).gen).toBe(5)
    // What was ended stays so, and what the failover brought back to life is ended again.
    expect(await persisted(rig, ended)).toEqual({ outcome: "ended", code: "session_revoked" })
    await vi.waitFor(
      async () => expect((await rig.row(endedLate.sid)).revokedReason).toBe("logout"),
      PATIENCE,
    )
    expect(await persisted(rig, endedLate)).toEqual({ outcome: "ended", code: "session_revoked" })
    await hearing(listener, rig.store)

    expect(rig.reuses).toEqual([])
    const stolen = { ...requestOf(ahead), challenge: s256(newVerifier()) }
    await rig.refresh(ahead)
    expect(await rig.line.refresh(stolen)).toEqual({ outcome: "ended", code: "session_reuse_detected" })
    expect(rig.reuses).toHaveLength(1)
  })
})

describe.runIf(probe)("a replica that is behind", { timeout: 60_000 }, () => {
  const drivers = {
    ioredis: ({ port }: OwnServer) => byIoredis({ host: "127.0.0.1", port }),
    redis: ({ url }: OwnServer) => byRedis(url),
  }
  test.concurrent.each(Object.entries(drivers))(
    "R10: has what was ended when its end is answered, by %s",
    async (_, connect) => {
      const servers = await replicated(15)
      const waits: unknown[] = []
      const store = redisStore(noting(await connect(servers.primary), waits))
      closing.push(() => store.close?.())
      const copy = redisStore(servers.onReplica)
      // A machine that is busy enough may pass the 100 ms that an end waits at most; then none is waited for during seconds.
      await vi.waitFor(async () => {
        const { sid } = await created(store)
        await store.revoke(sid, "logout")
        const { row } = await copy.find(sid)
        expect(waits.at(-1)).toBe(1)
        expect(row?.revokedReason).toBe("logout")
      }, PATIENCE)
    },
  )

  test.concurrent.each(Object.entries(drivers))(
    "or gone: does not hold up the connection, by %s",
    async (_, connect) => {
      const servers = await replicated()
      const waits: unknown[] = []
      const store = redisStore(noting(await connect(servers.primary), waits))
      closing.push(() => store.close?.())
      const sub = id()
      await vi.waitFor(async () => {
        await store.revoke((await created(store)).sid, "logout")
        expect(waits).toContain(1)
      }, PATIENCE)
      waits.length = 0
      await servers.cut()
      await Promise.all(Array.from({ length: 40 }, () => created(store, { sub })))
      expect(await store.revokeByUser(sub, "password")).toHaveLength(40)
      await store.revoke((await created(store)).sid, "logout")
      // WAIT stops all that comes after it on its connection, for 100 ms each time.
      expect(waits).toEqual([0])
    },
  )
})

async function replicated(lag = 0): Promise<Replicated> {
  const servers = await startReplicated(lag)
  if (!servers) throw new Error("redis-server is gone")
  closing.push(servers.close)
  return servers
}

/** The same client, that writes down what each WAIT was answered with. */
function noting(client: Client, waits: unknown[]): Client {
  return new Proxy(client, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== "function") return member
      return async (...args: unknown[]) => {
        const reply: unknown = await Reflect.apply(member, target, args)
        if (args.flat()[0] === "WAIT") waits.push(reply)
        return reply
      }
    },
  })
}
