import { Redis } from "ioredis"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Store } from "../src/stores/contract.js"
import { migrate, postgresStore } from "../src/stores/postgres.js"
import { redisStore } from "../src/stores/redis.js"
import { createRig, requestOf } from "./support/line.js"
import { findPostgres, findRedis, notRun, ownName } from "./support/services.js"
import { spellingsOf } from "./support/spellings.js"

/** Refreshes a few times, and searches the dump for all that only the client may know. */
async function leaks(store: Store, dump: () => Promise<Buffer>): Promise<string[]> {
  const rig = createRig({ store: () => store })
  const holder = await rig.login()
  const secrets: string[] = []
  for (let i = 0; i < 5; i++) {
    const { refreshToken, verifier, challenge } = requestOf(holder)
    const [, , , , lock = "", secret = ""] = refreshToken.split(".")
    secrets.push(refreshToken, secret, lock, verifier, challenge)
    await rig.refresh(holder)
  }
  expect(new Set(secrets).size).toBeGreaterThan(20)
  const found = async () => {
    const whole = await dump()
    expect(whole.includes(holder.sid)).toBe(true)
    return secrets.filter((secret) => spellingsOf(secret).some((spelling) => whole.includes(spelling)))
  }
  const leaked = await found()
  // The search would find one: here is one.
  await store.claim("code", holder.sid, secrets[0] ?? "", 60)
  expect(await found()).toContain(secrets[0])
  return leaked
}

const redis = await findRedis()
const postgres = await findPostgres()
if (!redis) notRun("G1 in Redis")
if (!postgres) notRun("G1 in PostgreSQL")

describe.runIf(redis)("G1: no token, secret, verifier or challenge in any spelling, in Redis", () => {
  const prefix = `${ownName()}:`
  let client: Redis
  beforeAll(() => {
    client = new Redis(redis?.url ?? "")
  })
  afterAll(async () => {
    const keys = await client.keys(`${prefix}*`)
    if (keys.length > 0) await client.del(...keys)
    client.disconnect()
    await redis?.close()
  })

  test("in the keys and their values", async () => {
    async function dump(): Promise<Buffer> {
      const keys = await client.keys(`${prefix}*`)
      const values = keys.map(async (key) =>
        (await client.type(key)) === "zset"
          ? Buffer.from((await client.zrange(key, "0", "-1")).join())
          : ((await client.getBuffer(key)) ?? Buffer.alloc(0)),
      )
      return Buffer.concat([Buffer.from(keys.join()), ...(await Promise.all(values))])
    }
    expect(await leaks(redisStore(client, { prefix }), dump)).toEqual([])
  })
})

describe.runIf(postgres)("G1: no token, secret, verifier or challenge in any spelling, in PostgreSQL", () => {
  const schema = ownName()
  let pool: pg.Pool
  beforeAll(async () => {
    pool = new pg.Pool({ connectionString: postgres?.url })
    await pool.query(`CREATE SCHEMA ${schema}`)
    await migrate(pool, { schema })
  })
  afterAll(async () => {
    await pool.query(`DROP SCHEMA ${schema} CASCADE`)
    await pool.end()
    await postgres?.close()
  })

  test("in the tables", async () => {
    async function dump(): Promise<Buffer> {
      const tables = ["pkce_sessions", "pkce_once"].map((table) =>
        pool.query(`SELECT * FROM ${schema}.${table}`),
      )
      const values = (await Promise.all(tables)).flatMap(({ rows }) => rows.flatMap(Object.values))
      return Buffer.concat(
        values.map((value) => (Buffer.isBuffer(value) ? value : Buffer.from(String(value)))),
      )
    }
    expect(await leaks(postgresStore(pool, { schema }), dump)).toEqual([])
  })
})
