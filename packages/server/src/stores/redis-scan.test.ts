import { Redis } from "ioredis"
import { afterAll, afterEach, describe, expect, test } from "vitest"
import { findRedis, notRun, type OwnServer, ownName, startRedis } from "../../test/support/services.js"
import type { Store } from "./contract.js"
import { redisStore } from "./redis.js"
import { type Client, drivers } from "./redis-drivers.fixture.js"
import { crowd, met, walk } from "./redis-walk.fixture.js"

const service = await findRedis()
const url = service?.url ?? ""
if (!service) notRun("scan in Redis")

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})
afterAll(async () => service?.close())

function open(client: Client, prefix = "pkce:"): Store {
  const store = redisStore(client, { prefix })
  ends.push(() => store.close?.())
  return store
}

describe.runIf(service).each(Object.entries(drivers(url)))("scan in Redis, by %s", (_, driver) => {
  test("it meets all sessions of its prefix and no others, whatever the prefix means in a pattern", async () => {
    const { client, end } = await driver.connect()
    const raw = new Redis(url)
    const name = ownName()
    ends.push(end, () => raw.disconnect())
    ends.push(async () => raw.del(...(await raw.keys(`*${name}*`))))
    const odd = `[a-c]*?\\^{x}${name}:`
    // The other prefix, read as a pattern, would take these in.
    const plain = open(client, `axy\\^{x}${name}:`)
    const store = open(client, odd)
    const theirs = await crowd(plain, 3)
    const ours = await crowd(store, 30)
    // As a client with a prefix of its own writes them.
    await raw.set(`other:${odd}s:{${theirs[0]}}`, "not a session")
    expect(met(await walk(store, 7))).toEqual(ours.sort())
    expect(met(await walk(plain, 7))).toEqual(theirs.sort())
  })

  test("a page has no more than it should, and what it had no room for comes with the next", async () => {
    const { client, end } = await driver.connect()
    const raw = new Redis(url)
    const prefix = `${ownName()}:`
    ends.push(end, () => raw.disconnect())
    ends.push(async () => raw.del(...(await raw.keys(`${prefix}*`))))
    const store = open(client, prefix)
    const ours = await crowd(store, 50)
    const pages = await walk(store, 3)
    expect(Math.max(...pages.map((page) => page.length))).toBe(3)
    expect(met(pages)).toEqual(ours.sort())
  })
})

describe.runIf(service)("scan in Redis", () => {
  test("a client that puts a prefix of its own in front of keys", async () => {
    const name = ownName()
    const client = new Redis(url, { keyPrefix: `${name}:` })
    const raw = new Redis(url)
    ends.push(
      () => client.disconnect(),
      () => raw.disconnect(),
    )
    ends.push(async () => raw.del(...(await raw.keys(`${name}*`))))
    const store = open(client)
    const ours = await crowd(store, 20)
    expect(await raw.keys(`${name}:pkce:s:*`)).toHaveLength(20)
    expect(met(await walk(store, 500))).toEqual(ours.sort())
  })

  test("one call looks at so many keys and no more, and says where it goes on", async () => {
    const server = await start({})
    const client = new Redis(server.url)
    ends.push(() => client.disconnect())
    const others = Array.from({ length: 5000 }, (_, i) => [`other:${i}`, "x"])
    await client.mset(...others.flat())
    const store = open(client)
    const ours = await crowd(store, 5)
    const pages = await walk(store, 10)
    expect(pages.length).toBeGreaterThanOrEqual(3)
    expect(met(pages)).toEqual(ours.sort())
  })

  test("a walk that meets a server which was started anew begins there anew", async () => {
    const server = await start({ appendonly: "yes", appendfsync: "always" })
    const client = new Redis(server.url, { retryStrategy: () => 50 })
    client.on("error", () => undefined)
    ends.push(() => client.disconnect())
    const store = open(client)
    const ours = await crowd(store, 1500)
    const pages = await walk(store, 100, async (_, page) => {
      if (page !== 7) return
      await server.kill()
      await server.start()
    })
    expect(met(pages)).toEqual(ours.sort())
  })

  test("an account that may not ask which process answers walks all the same", async () => {
    const server = await start({})
    const client = new Redis(server.url)
    ends.push(() => client.disconnect())
    const store = open(client)
    const ours = await crowd(store, 300)
    await client.call("ACL", "SETUSER", "default", "-info")
    expect(met(await walk(store, 50))).toEqual(ours.sort())
  })
})

async function start(settings: Record<string, string>): Promise<OwnServer> {
  const server = await startRedis(settings)
  if (!server) throw new Error("redis-server is gone")
  ends.push(() => server.close())
  return server
}
