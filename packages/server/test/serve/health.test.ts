import { setTimeout as sleep } from "node:timers/promises"
import pg from "pg"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { migrate } from "../../src/stores/postgres.js"
import { startFakeProvider } from "../../src/testing/provider.js"
import type { FakeProvider } from "../../src/testing/provider-types.js"
import {
  installedBeside,
  type Place,
  type RunningServe,
  startServe,
  type Variables,
} from "../support/serve.js"
import { random, s256 } from "../support/server.js"
import { findPostgres, findRedis, notRun, ownName, type Service } from "../support/services.js"
import { type Gate, openGate } from "../topologies/gate.js"

const [postgres, redis] = await Promise.all([findPostgres(), findRedis()])

let idp: FakeProvider
let server: RunningServe
let gate: Gate
beforeAll(async () => {
  idp = await startFakeProvider()
})
afterAll(async () => {
  await idp.close()
  await Promise.all([postgres?.close(), redis?.close()])
})
afterEach(async () => {
  server.child.kill("SIGKILL")
  await gate?.close()
})

const variables = (PKCE_STORE: string): Variables => ({
  PKCE_ISSUER: idp.issuer,
  PKCE_CLIENT_ID: idp.clientId,
  PKCE_CLIENT_SECRET: idp.clientSecret,
  PKCE_REDIRECT_URIS: idp.options().redirectUris.join(" "),
  PKCE_SECRET: random(),
  PKCE_STORE,
  PKCE_ALLOW_LOOPBACK_HTTP: "true",
})

async function probe(path: string, method = "GET"): Promise<[number, unknown]> {
  const answer = await fetch(server.origin + path, { method })
  return [answer.status, await answer.json().catch(() => null)]
}

async function until(path: string, status: number): Promise<void> {
  while ((await probe(path))[0] !== status) await sleep(50)
}

const logIn = () => server.post("/auth/exchange", { ...idp.finishLogin(), session_challenge: s256(random()) })

const portOf = (service: Service) => Number(new URL(service.url).port)

/** The store's own address, reached through the gate. */
const through = (service: Service, path = new URL(service.url).pathname) => {
  const url = new URL(service.url)
  url.hostname = "127.0.0.1"
  url.port = String(gate.port)
  url.pathname = path
  return url.href
}

/** Down from the start, there, down again, there again: never more than 503, and the process lives on. */
async function outages(store: () => string, service: Service, told: string, place?: Place): Promise<void> {
  gate.lead(null)
  server = await startServe(variables(store()), place)
  expect(await probe("/healthz")).toEqual([200, { status: "ok" }])
  expect(await probe("/readyz")).toEqual([503, { status: "store_unavailable" }])
  expect((await logIn()).status).toBe(503)
  for (let i = 0; i < 2; i++) {
    gate.lead(portOf(service))
    await until("/readyz", 200)
    expect((await logIn()).status).toBe(200)
    gate.lead(null)
    await until("/readyz", 503)
    expect(await probe("/healthz")).toEqual([200, { status: "ok" }])
  }
  // Also while the store is away: nothing hangs.
  expect(await server.stop()).toBe(0)
  expect(server.lines.map(({ type }) => type)).toContain(told)
  for (const word of [idp.clientSecret, "CANARY"]) expect(server.output()).not.toContain(word)
}

/** A network that drops what is open without a word, as a firewall does: the process makes its connections anew. */
async function fallsSilent(store: string, place?: Place): Promise<void> {
  server = await startServe(variables(store), place)
  await until("/readyz", 200)
  gate.silence()
  await until("/readyz", 503)
  await until("/readyz", 200)
  expect((await logIn()).status).toBe(200)
  expect(await server.stop()).toBe(0)
}

if (redis) {
  describe("a Redis that comes and goes", () => {
    it("by ioredis", async () => {
      gate = await openGate(portOf(redis))
      await outages(() => through(redis), redis, "serve.store_connection_failed")
    })

    it("G9: by ioredis, whose connection falls silent", async () => {
      gate = await openGate(portOf(redis))
      await fallsSilent(through(redis))
    })

    it("by redis", async () => {
      gate = await openGate(portOf(redis))
      const place = installedBeside(["redis"])
      const told = "serve.store_connection_failed"
      await outages(() => through(redis), redis, told, place).finally(place.remove)
    })

    it("G9: by redis, whose connection falls silent", async () => {
      gate = await openGate(portOf(redis))
      const place = installedBeside(["redis"])
      await fallsSilent(through(redis), place).finally(place.remove)
    })
  })
} else notRun("pkce-server on Redis")

if (postgres) {
  describe("a PostgreSQL that comes and goes", () => {
    const database = ownName()
    const administer = async (statement: string) => {
      const client = new pg.Client({ connectionString: postgres.url })
      await client.connect()
      await client.query(statement)
      await client.end()
    }
    beforeAll(() => administer(`CREATE DATABASE ${database}`))
    afterAll(() => administer(`DROP DATABASE ${database} WITH (FORCE)`))

    it("and whose tables are made when it answers for the first time", async () => {
      gate = await openGate(portOf(postgres))
      await outages(() => through(postgres, `/${database}`), postgres, "serve.store_not_prepared")
    })

    it("is not used where its tables are of another version", async () => {
      gate = await openGate(portOf(postgres))
      const own = new pg.Client({ connectionString: through(postgres, `/${database}`) })
      await own.connect()
      await migrate(own)
      await own.query("UPDATE pkce_schema SET version = version + 98")
      server = await startServe(variables(through(postgres, `/${database}`)))
      while (!server.output().includes("are version 99; this release reads 1")) await sleep(20)
      expect(await probe("/readyz")).toEqual([503, { status: "store_unavailable" }])
      await own.query("UPDATE pkce_schema SET version = version - 98")
      await until("/readyz", 200)
      await own.end()
      expect(await server.stop()).toBe(0)
    })

    it("is used by a user who may make no tables, once they are there", async () => {
      gate = await openGate(portOf(postgres))
      const user = ownName()
      const url = new URL(through(postgres, `/${database}`))
      const own = new pg.Client({ connectionString: url.href })
      await own.connect()
      await migrate(own)
      await own.query(
        `REVOKE CREATE ON SCHEMA public FROM PUBLIC; CREATE ROLE ${user} LOGIN PASSWORD 'CANARY'; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${user}`,
      )
      url.username = user
      url.password = "CANARY"
      server = await startServe(variables(url.href))
      await until("/readyz", 200)
      expect((await logIn()).status).toBe(200)
      expect(server.output()).toContain("this user may not make tables")
      expect(await server.stop()).toBe(0)
      expect(server.output()).not.toContain("CANARY")
      await own.query(`DROP OWNED BY ${user}; DROP ROLE ${user}`)
      await own.end()
    })
  })
} else notRun("pkce-server on PostgreSQL")

describe("routes beside the mount", () => {
  it("are two, and everything else is 404 in the one error shape", async () => {
    server = await startServe({ ...variables("memory"), PKCE_BASE_PATH: "/login" })
    expect(await probe("/login/config")).toEqual([200, expect.objectContaining({ protocol: 1 })])
    expect(await probe("/readyz?verbose")).toEqual([200, { status: "ready" }])
    expect((await probe("/healthz", "HEAD"))[0]).toBe(200)
    expect(await probe("/healthz", "POST")).toEqual([
      405,
      expect.objectContaining({ error: "method_not_allowed" }),
    ])
    for (const path of [
      "/",
      "/login",
      "/config",
      "/auth/config",
      "/loginconfig",
      "/healthz/",
      "/login/nothing",
    ])
      expect([path, ...(await probe(path))]).toEqual([
        path,
        404,
        expect.objectContaining({ error: "not_found" }),
      ])
    expect(await server.stop()).toBe(0)
  })

  it("at the root of a host, the mount takes the rest", async () => {
    server = await startServe({ ...variables("memory"), PKCE_URL: "https://login.example.com" })
    expect((await probe("/config"))[0]).toBe(200)
    expect((await probe("/healthz"))[0]).toBe(200)
    expect((await probe("/nothing"))[0]).toBe(404)
    expect(await server.stop()).toBe(0)
  })

  it("C9: headers of more than 16 KiB are refused", async () => {
    server = await startServe(variables("memory"))
    const answer = await fetch(`${server.origin}/healthz`, { headers: { "x-long": "x".repeat(17_000) } })
    expect(answer.status).toBe(431)
    expect(await server.stop()).toBe(0)
  })
})
