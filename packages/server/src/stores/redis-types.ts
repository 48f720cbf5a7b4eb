import type { Buffer } from "node:buffer"

export type RedisArgument = string | Buffer

interface Emitter {
  on(event: string, listener: (...args: unknown[]) => void): unknown
  off(event: string, listener: (...args: unknown[]) => void): unknown
}

/** What the store needs of `ioredis`: `Redis` and `Cluster` have it. */
export interface IoredisClient extends Emitter {
  readonly isCluster: boolean
  callBuffer(command: string, ...args: RedisArgument[]): Promise<unknown>
  duplicate(): Emitter & {
    subscribe(channel: string): Promise<unknown>
    disconnect(): void
  }
}

/** What the store needs of `redis` (node-redis): `createClient` makes it. */
export interface NodeRedisClient extends Emitter {
  sendCommand(args: RedisArgument[], options?: object): Promise<unknown>
  duplicate(): NodeRedisSubscriber
}

/** `createCluster` of `redis` makes it. */
export interface NodeRedisCluster extends Emitter {
  readonly masters: unknown
  sendCommand(
    firstKey: RedisArgument | undefined,
    isReadonly: boolean | undefined,
    args: RedisArgument[],
    options?: object,
  ): Promise<unknown>
  duplicate(): NodeRedisSubscriber
}

interface NodeRedisSubscriber extends Emitter {
  connect(): Promise<unknown>
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>
  destroy(): void
}

export interface RedisStoreOptions {
  /** In front of every key, and of the channel. Default `pkce:`. */
  prefix?: string
  /** Receives a warning about a server that may evict sessions. Default `console.warn`. */
  onWarning?: (text: string) => void
  /** The time in milliseconds, for tests; by default the server's own clock is read inside each script. */
  now?: () => number
}
