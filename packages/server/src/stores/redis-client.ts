import { Buffer } from "node:buffer"
import type { OpenSubscription } from "./push.js"
import type { Script } from "./redis-scripts.js"
import type { IoredisClient, NodeRedisClient, NodeRedisCluster, RedisArgument } from "./redis-types.js"

/** The two drivers, and their clusters, as one. */
export interface RedisConnection {
  /** A command on the server that holds `key`. Strings come back as bytes. */
  command(key: string, args: RedisArgument[]): Promise<unknown>
  /** Whether a command that names no key reaches the server that holds `key`. */
  readonly follows: boolean
  subscription(channel: string): OpenSubscription
  /** Called each time that a connection to the server was made anew. Returns what ends that. */
  onReady(listener: () => void): () => void
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
    return {
      command: (_, [name = "", ...args]) => client.callBuffer(String(name), ...args),
      follows: !client.isCluster,
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
  const command: RedisConnection["command"] =
    "masters" in client
      ? (key, args) => client.sendCommand(key, false, args, BYTES)
      : (_, args) => client.sendCommand(args, BYTES)
  return { command, follows: true, subscription, onReady }
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
