import { Buffer } from "node:buffer"
import type { SessionRow } from "./contract.js"
import type { OpenSubscription } from "./push.js"
import type { SCRIPTS, Script } from "./redis-scripts.js"
import type {
  Emitter,
  IoredisClient,
  NodeRedisClient,
  NodeRedisCluster,
  NodeRedisSentinel,
  RedisArgument,
} from "./redis-types.js"

/** The two drivers, and their clusters, as one. */
export interface RedisConnection {
  /** A command on the server that holds `key`. Strings come back as bytes. */
  command(key: string, args: RedisArgument[]): Promise<unknown>
  /** The servers of a cluster that this client knows to hold keys; left out where there is but one. */
  masters?: () => RedisServer[]
  subscription(channel: string): OpenSubscription
  /** Called each time that a connection to a server was made anew, or to the one in its place. Returns what ends that. */
  onReady(listener: () => void): () => void
}

/** Runs one script on one key. */
export type RunScript = <T>(
  name: keyof typeof SCRIPTS,
  key: string,
  args: (RedisArgument | number)[],
) => Promise<T>

export type FindRow = (sid: string) => Promise<{ row: SessionRow | null; now: number }>

/** One server of a cluster. Its name is the same in every process. */
export interface RedisServer {
  name: string
  command(args: RedisArgument[]): Promise<unknown>
}

/** RESP's bulk strings, in node-redis's `typeMapping`. */
const BYTES = { typeMapping: { 36: Buffer } }

const nothing = () => undefined

export function connection(
  client: IoredisClient | NodeRedisClient | NodeRedisSentinel | NodeRedisCluster,
): RedisConnection {
  if ("callBuffer" in client) {
    const mastersOf = () =>
      (client.nodes?.("master") ?? []).map((node) => ({
        name: `${node.options.host}:${node.options.port}`,
        command: ([name = "", ...args]: RedisArgument[]) => node.callBuffer(String(name), ...args),
      }))
    return {
      command: (_, [name = "", ...args]) => client.callBuffer(String(name), ...args),
      ...(client.isCluster && { masters: mastersOf }),
      subscription: (channel) => (heard, lost) => subscribeIoredis(client, channel, heard, lost),
      onReady: (listener) =>
        client.isCluster ? onReplaced(client, listener) : onEvent(client, "ready", listener),
    }
  }
  const subscription: RedisConnection["subscription"] = (channel) => async (heard, lost) => {
    const own = client.duplicate()
    // An emitter without this listener would end the process; the driver connects again by itself.
    own.on("error", nothing)
    own.on("end", lost)
    try {
      await own.connect()
      await own.subscribe(channel, heard)
    } catch (error) {
      await quietly(() => own.destroy())
      throw error
    }
    return () => quietly(() => own.destroy())
  }
  if ("getMasterNode" in client) {
    const command = (_: string, args: RedisArgument[]) => client.sendCommand(false, args, BYTES)
    return { command, subscription, onReady: (listener) => onEvent(client, "ready", listener) }
  }
  if (!("masters" in client)) {
    const command = (_: string, args: RedisArgument[]) => client.sendCommand(args, BYTES)
    return { command, subscription, onReady: (listener) => onEvent(client, "ready", listener) }
  }
  return {
    command: (key, args) => client.sendCommand(key, false, args, BYTES),
    masters: () =>
      client.masters.map((node) => ({
        name: node.address,
        command: async (args: RedisArgument[]) => (await client.nodeClient(node)).sendCommand(args, BYTES),
      })),
    subscription,
    onReady: (listener) => onEvent(client, "node-ready", listener),
  }
}

function onEvent(client: Emitter, event: string, listener: () => void): () => void {
  client.on(event, listener)
  return () => void client.off(event, listener)
}

/** ioredis's `Cluster` is `ready` but once: a server that went, and then the slots anew, is what a failover looks like. */
function onReplaced(client: Emitter, listener: () => void): () => void {
  let gone = false
  const ends = [
    onEvent(client, "ready", listener),
    onEvent(client, "-node", () => {
      gone = true
    }),
    onEvent(client, "refresh", () => {
      if (gone) listener()
      gone = false
    }),
  ]
  return () => {
    for (const end of ends) end()
  }
}

async function subscribeIoredis(
  client: IoredisClient,
  channel: string,
  heard: (sid: string) => void,
  lost: () => void,
) {
  const own = client.duplicate()
  own.on("error", nothing)
  own.on("end", lost)
  own.on("message", (_, sid) => heard(String(sid)))
  try {
    await own.subscribe(channel)
  } catch (error) {
    own.disconnect()
    throw error
  }
  return () => own.disconnect()
}

/** One round trip; a second one where the server does not know the script yet. */
export async function evaluate(
  { command }: RedisConnection,
  script: Script,
  key: string,
  args: RedisArgument[],
): Promise<unknown> {
  try {
    return await command(key, ["EVALSHA", script.sha1, "1", key, ...args])
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error
    return command(key, ["EVAL", script.text, "1", key, ...args])
  }
}

async function quietly(work: () => unknown): Promise<void> {
  try {
    await work()
  } catch {
    // It was closed already.
  }
}
