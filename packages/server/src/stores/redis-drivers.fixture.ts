import { Redis } from "ioredis"
import { createClient } from "redis"
import type { redisStore } from "./redis.js"

export type Client = Parameters<typeof redisStore>[0]

/** One driver: how it is opened and closed, and which of its methods sends a command. */
export interface Driver {
  connect(): Promise<{ client: Client; end(): void }>
  /** The same client, that writes the name of each command down before it is sent. */
  counted(client: Client, commands: string[]): Client
}

export const drivers = (url: string): Record<string, Driver> => ({
  ioredis: {
    async connect() {
      const client = new Redis(url)
      client.on("error", () => undefined)
      return { client, end: () => client.disconnect() }
    },
    counted: (client, commands) => watched(client, "callBuffer", ([name]) => note(commands, name)),
  },
  redis: {
    async connect() {
      const client = createClient({ url })
      client.on("error", () => undefined)
      await client.connect()
      return { client, end: () => client.destroy() }
    },
    counted: (client, commands) =>
      watched(client, "sendCommand", ([args]) => note(commands, (args as unknown[])[0])),
  },
})

function note(commands: string[], name: unknown): undefined {
  commands.push(String(name))
}

/** The same object. `before` gets the arguments of one of its methods; where it returns a promise, the call waits for it. */
export function watched<T extends object>(
  object: T,
  method: string,
  before: (args: unknown[]) => Promise<unknown> | undefined,
): T {
  return new Proxy(object, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== "function") return member
      const call = (args: unknown[]) => (member as (...args: unknown[]) => unknown).apply(target, args)
      return (...args: unknown[]) => {
        const wait = name === method ? before(args) : undefined
        return wait ? wait.then(() => call(args)) : call(args)
      }
    },
  })
}
