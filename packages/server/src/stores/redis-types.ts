import type { Buffer } from "node:buffer"

export type RedisArgument = string | Buffer

export interface Emitter {
  on(event: string, listener: (...args: unknown[]) => void): unknown
  off(event: string, listener: (...args: unknown[]) => void): unknown
}

interface IoredisCommands {
  callBuffer(command: string, ...args: RedisArgument[]): Promise<unknown>
}

interface IoredisNode extends IoredisCommands {
  readonly options: { host?: string | undefined; port?: number | undefined }
}

/** What the store needs of `ioredis`: `Redis` and `Cluster` have it. */
export interface IoredisClient extends Emitter, IoredisCommands {
  readonly isCluster: boolean
  /** `Cluster` alone has it. */
  nodes?(role: "master"): IoredisNode[]
  duplicate(): Emitter & {
    subscribe(channel: string): Promise<unknown>
    disconnect(): void
  }
}

interface NodeRedisCommands {
  sendCommand(args: RedisArgument[], options?: object): Promise<unknown>
}

/** What the store needs of `redis` (node-redis): `createClient` makes it. */
export interface NodeRedisClient extends Emitter, NodeRedisCommands {
  duplicate(): NodeRedisSubscriber
}

/** `createSentinel` of `redis` makes it; with its default `masterPoolSize` of 1, for WAIT asks for one connection. */
export interface NodeRedisSentinel extends Emitter {
  getMasterNode(): unknown
  sendCommand(isReadonly: boolean | undefined, args: RedisArgument[], options?: object): Promise<unknown>
  duplicate(): NodeRedisSubscriber
}

/** `createCluster` of `redis` makes it. */
export interface NodeRedisCluster extends Emitter {
  readonly masters: readonly NodeRedisMaster[]
  nodeClient(master: NodeRedisMaster): NodeRedisCommands | Promise<NodeRedisCommands>
  sendCommand(
    firstKey: RedisArgument | undefined,
    isReadonly: boolean | undefined,
    args: RedisArgument[],
    options?: object,
  ): Promise<unknown>
  duplicate(): NodeRedisSubscriber
}

interface NodeRedisMaster {
  readonly address: string
}

interface NodeRedisSubscriber extends Emitter {
  connect(): Promise<unknown>
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>
  destroy(): unknown
}

export interface RedisStoreOptions {
  /** In front of every key, and of the channel. Default `pkce:`. */
  prefix?: string
  /** Receives a warning about a server that may evict sessions. Default `console.warn`. */
  onWarning?: (text: string) => void
  /** The time in milliseconds, for tests; by default the server's own clock is read inside each script. */
  now?: () => number
}
