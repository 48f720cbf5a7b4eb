import { Redis } from "ioredis"
import { vi } from "vitest"
import { type OwnServer, startRedis } from "../support/services.js"
import { PATIENCE } from "./line-on-store.js"

/** A Redis Cluster of our own, every node with its own connection. */
export interface OwnCluster {
  nodes: ClusterNode[]
  /** The master that holds a key, as the nodes themselves see it. */
  ownerOf(key: string): Promise<ClusterNode>
  close(): Promise<void>
}

export interface ClusterNode {
  server: OwnServer
  raw: Redis
  id: string
}

const SLOTS = 16_384

/** Masters that share all slots, on files, so that they may be killed. `null` where no Redis is installed. */
export async function startCluster(masters: number): Promise<OwnCluster | null> {
  const settings = {
    "cluster-enabled": "yes",
    "cluster-announce-ip": "127.0.0.1",
    "cluster-node-timeout": "1000",
    appendonly: "yes",
  }
  const started = await Promise.allSettled(Array.from({ length: masters }, () => startRedis(settings)))
  const servers = started.flatMap((one) => (one.status === "fulfilled" && one.value ? [one.value] : []))
  const raws = servers.map(({ url }) => new Redis(url, { retryStrategy: () => 50 }))
  for (const raw of raws) raw.on("error", () => undefined)
  async function close(): Promise<void> {
    for (const raw of raws) raw.disconnect()
    await Promise.all(servers.map((server) => server.close()))
  }
  if (servers.length < masters) {
    await close()
    const failed = started.find((one) => one.status === "rejected")
    if (failed) throw failed.reason
    return null
  }
  try {
    const nodes = await Promise.all(
      servers.map(async (server, i) => {
        const raw = raws[i] ?? new Redis(server.url)
        return { server, raw, id: String(await raw.call("CLUSTER", "MYID")) }
      }),
    )
    await join(nodes)
    return { nodes, ownerOf: (key) => ownerOf(nodes, key), close }
  } catch (error) {
    await close()
    throw error
  }
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
