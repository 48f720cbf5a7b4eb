import { Redis } from "ioredis"
import { vi } from "vitest"
import { type OwnServer, startRedis } from "../support/services.js"
import { PATIENCE } from "./line-on-store.js"

/** A Redis Cluster of our own, every node with its own connection. */
export interface OwnCluster {
  nodes: ClusterNode[]
  /** The master that holds a key, as the nodes themselves see it. */
  ownerOf(key: string): Promise<ClusterNode>
  /** One more node, which has all that the master has. */
  addReplica(master: ClusterNode): Promise<ClusterNode>
  close(): Promise<void>
}

export interface ClusterNode {
  server: OwnServer
  raw: Redis
  id: string
}

const SLOTS = 16_384

/** On files, so that a node may be killed. */
const SETTINGS = {
  "cluster-enabled": "yes",
  "cluster-announce-ip": "127.0.0.1",
  "cluster-node-timeout": "1000",
  appendonly: "yes",
}

/** Masters that share all slots. `null` where no Redis is installed. */
export async function startCluster(masters: number): Promise<OwnCluster | null> {
  const closing: (() => unknown)[] = []
  const close = async () => {
    await Promise.all(closing.map((end) => end()))
  }
  async function start(): Promise<ClusterNode | null> {
    const server = await startRedis(SETTINGS)
    if (!server) return null
    const raw = new Redis(server.url, { retryStrategy: () => 50 })
    raw.on("error", () => undefined)
    closing.push(() => raw.disconnect(), server.close)
    return { server, raw, id: String(await raw.call("CLUSTER", "MYID")) }
  }
  try {
    const started = await Promise.allSettled(Array.from({ length: masters }, start))
    const nodes = started.flatMap((one) => {
      if (one.status === "rejected") throw one.reason
      return one.value ? [one.value] : []
    })
    if (nodes.length < masters) return null
    await join(nodes)
    async function addReplica(master: ClusterNode): Promise<ClusterNode> {
      const replica = await start()
      if (!replica) throw new Error("redis-server is gone")
      await replicate(nodes, master, replica)
      return replica
    }
    return { nodes, ownerOf: (key) => ownerOf(nodes, key), addReplica, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function replicate(nodes: ClusterNode[], master: ClusterNode, replica: ClusterNode): Promise<void> {
  await master.raw.config("SET", "repl-diskless-sync-delay", "0")
  await replica.raw.call("CLUSTER", "MEET", "127.0.0.1", String(master.server.port))
  await vi.waitFor(() => replica.raw.call("CLUSTER", "REPLICATE", master.id), PATIENCE)
  await allSound([...nodes, replica])
}

async function join(nodes: ClusterNode[]): Promise<void> {
  const [first] = nodes
  const edge = (i: number) => Math.floor((SLOTS * i) / nodes.length)
  for (const [i, { raw }] of nodes.entries()) {
    const slots = Array.from({ length: edge(i + 1) - edge(i) }, (_, n) => String(edge(i) + n))
    await raw.call("CLUSTER", "ADDSLOTS", ...slots)
    await raw.call("CLUSTER", "SET-CONFIG-EPOCH", String(i + 1))
    if (first && i > 0) await raw.call("CLUSTER", "MEET", "127.0.0.1", String(first.server.port))
  }
  await allSound(nodes)
}

/** Returns when every node sees every other and all slots served. */
export function allSound(nodes: ClusterNode[]): Promise<void> {
  return vi.waitFor(async () => {
    for (const { raw } of nodes) {
      const info = String(await raw.call("CLUSTER", "INFO"))
      if (!info.includes("cluster_state:ok") || !info.includes(`cluster_known_nodes:${nodes.length}`))
        throw new Error(info)
    }
  }, PATIENCE)
}

async function ownerOf(nodes: ClusterNode[], key: string): Promise<ClusterNode> {
  for (const node of nodes) {
    try {
      await node.raw.exists(key)
      return node
    } catch (error) {
      if (!String(error).includes("MOVED")) throw error
    }
  }
  throw new Error("no node holds this key")
}

/** The steps in which an administrator moves the slot of a key, with all that is in it, to another node. */
export async function moveSlot(nodes: ClusterNode[], from: ClusterNode, to: ClusterNode, key: string) {
  const slot = String(await from.raw.call("CLUSTER", "KEYSLOT", key))
  return {
    async begin(): Promise<void> {
      await to.raw.call("CLUSTER", "SETSLOT", slot, "IMPORTING", from.id)
      await from.raw.call("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id)
    },
    async keys(): Promise<void> {
      const keys = (await from.raw.call("CLUSTER", "GETKEYSINSLOT", slot, "1000")) as string[]
      const address = ["127.0.0.1", String(to.server.port)]
      await from.raw.call("MIGRATE", ...address, "", "0", "5000", "KEYS", ...keys)
    },
    async end(): Promise<void> {
      for (const { raw } of [to, ...nodes]) await raw.call("CLUSTER", "SETSLOT", slot, "NODE", to.id)
    },
  }
}
