import { Buffer } from "node:buffer"
import type { SessionRow } from "./contract.js"
import type { OpenSubscription } from "./push.js"
import type { SCRIPTS, Script } from "./redis-scripts.js"
import type { IoredisClient, NodeRedisClient, NodeRedisCluster, RedisArgument } from "./redis-types.js"

/** The two drivers, and their clusters, as one. */
export interface RedisConnection {
  /** A command on the server that holds `key`. Strings come back as bytes. */
  command(key: string, args: RedisArgument[]): Promise<unknown>
  /** Whether a command that names no key reaches the server that holds `key`. */
  readonly follows: boolean
  /** The servers of a cluster that this client knows to hold keys; left out where there is but one. */
  masters?: () => RedisServer[]
  subscription(channel: string): OpenSubscription
  /** Called each time that a connection to the server was made anew. Returns what ends that. */
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

export function connection(client: IoredisClient | NodeRedisClient | NodeRedisCluster): RedisConnection {
  const onReady = (listener: () => void) => {
    client.on("ready", listener)
    return () => void client.off("ready", listener)
  }
  if ("callBuffer" in client) {
    const mastersOf = () =>
      (client.nodes?.("master") ?? []).map((node) => ({
        name: `${node.options.host}:${node.options.port}`,
        command: ([name = "", ...args]: RedisArgument[]) => node.callBuffer(String(name), ...args),
      }))
    return {
      command: (_, [name = "", ...args]) => client.callBuffer(String(name), ...args),
      follows: !client.isCluster,
      ...(client.isCluster && { masters: mastersOf }),
      subscription: (channel) => (heard, lost) => subscribeIoredis(client, channel, heard, lost),
      onReady,
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
      quietly(() => own.destroy())
      throw error
    }
    return () => quietly(() => own.destroy())
  }
  const rest = { follows: true, subscription, onReady }
  if (!("masters" in client)) return { command: (_, args) => client.sendCommand(args, BYTES), ...rest }
  const masters = () =>
    client.masters.map((node) => ({
      name: node.address,
      command: async (args: RedisArgument[]) => (await client.nodeClient(node)).sendCommand(args, BYTES),
    }))
  return { command: (key, args) => client.sendCommand(key, false, args, BYTES), masters, ...rest }
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

function quietly(work: () => void): void {
  try {
    work()
  } catch {
    // It was closed already.
  }
}
