import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import { type AddressInfo, connect, createServer as createProxy } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Database from "libsql"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { nodeAuth } from "../../src/mounts/node.js"
import { createPkceServer } from "../../src/server.js"
import type { PkceServer } from "../../src/server-types.js"
import { sqliteStore } from "../../src/stores/sqlite.js"
import { call, type Fixture, parsed, random, s256, startServer, wire } from "../support/server.js"

/** Two servers that share nothing but one SQLite file, whose clock the tests set forward. */
let folder: string
let fixture: Fixture
let twin: PkceServer
let ahead: number
const closing: (() => unknown)[] = []

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "pkce-"))
  ahead = 0
  const store = () => {
    const database = new Database(join(folder, "auth.db"))
    closing.push(() => database.close())
    return sqliteStore(database, { now: () => Date.now() + ahead * 1000 })
  }
  fixture = await startServer({ store: store() })
  twin = createPkceServer({ ...fixture.options, store: store() })
})
afterEach(async () => {
  await twin.close()
  await fixture.close()
  for (const close of closing.splice(0)) await close()
  rmSync(folder, { recursive: true })
})

const both = () => [fixture.auth, twin]
const exchange = (auth: PkceServer, body: unknown) => call(auth, { path: "/exchange", body })
const verdict = (answer: Awaited<ReturnType<typeof call>>) => [answer.status, parsed(answer).error]

describe("C4: two servers on one file", () => {
  it("C4: eight identical exchanges at once are one call of the provider and one session", async () => {
    fixture.idp.faults.token = { delay: 100 }
    const body = wire(fixture.login())
    const answers = await Promise.all([0, 1, 0, 1, 0, 1, 0, 1].map((i) => exchange(both()[i] ?? twin, body)))
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200))
    const grants = answers.map(parsed)
    expect(
      new Set(grants.map(({ session_id, refresh_token }) => `${session_id} ${refresh_token}`)).size,
    ).toBe(1)
    expect(fixture.idp.calls.token).toBe(1)
    expect(await twin.sessions.list(String(grants[0]?.user_info?.sub))).toHaveLength(1)
  })

  it("C4, C2: of two different exchanges of one code one is refused, and the provider sees one", async () => {
    fixture.idp.faults.token = { delay: 100 }
    const body = wire(fixture.login())
    const answers = await Promise.all([
      exchange(fixture.auth, body),
      exchange(twin, { ...body, session_challenge: s256(random()) }),
    ])
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400])
    expect(fixture.idp.calls.token).toBe(1)
  })

  it("C4: a claim whose process stalls is 409 once its deadline has passed, and no session comes late", async () => {
    fixture.idp.faults.token = { delay: 500 }
    const body = wire(fixture.login())
    const stalled = exchange(fixture.auth, body)
    await expect.poll(() => fixture.idp.calls.token).toBe(1)
    ahead = 21
    expect(verdict(await exchange(twin, body))).toEqual([409, "exchange_interrupted"])
    expect(verdict(await stalled)).toEqual([409, "exchange_interrupted"])
    expect(verdict(await exchange(twin, body))).toEqual([409, "exchange_interrupted"])
    fixture.idp.faults = {}
    expect((await exchange(twin, wire(fixture.login()))).status).toBe(200)
  })

  it("F4, F1: one generation that is used twice at both is one grant and one alarm", async () => {
    const login = fixture.login()
    const grant = parsed(await exchange(fixture.auth, wire(login)))
    const uses = both().map((auth) =>
      call(auth, {
        path: "/refresh",
        body: {
          refresh_token: grant.refresh_token,
          session_verifier: login.verifier,
          session_challenge: s256(random()),
        },
      }),
    )
    const verdicts = (await Promise.all(uses)).map((answer) => parsed(answer).error ?? "granted")
    expect(verdicts.sort()).toEqual(["granted", "session_reuse_detected"])
    expect((await twin.sessions.list(String(grant.user_info?.sub))).length).toBe(0)
  })

  it("F1: halves of two sessions fit together nowhere", async () => {
    const [one, two] = [fixture.login(), fixture.login()]
    const grants = [parsed(await exchange(twin, wire(one))), parsed(await exchange(twin, wire(two)))]
    const mixed = {
      refresh_token: grants[0]?.refresh_token,
      session_verifier: two.verifier,
      session_challenge: s256(random()),
    }
    expect(verdict(await call(twin, { path: "/refresh", body: mixed }))).toEqual([
      401,
      "session_reuse_detected",
    ])
    expect(await twin.sessions.get(String(grants[1]?.session_id))).not.toBeNull()
  })

  it("F11: what one has revoked the other refuses at once where it asks the store", async () => {
    const grant = parsed(await exchange(fixture.auth, wire(fixture.login())))
    const token = String(grant.session_token)
    expect(await twin.authenticate(token, { checkRevocation: true })).not.toBeNull()
    await fixture.auth.sessions.revoke(String(grant.session_id))
    expect(await fixture.auth.authenticate(token)).toBeNull()
    expect(await twin.authenticate(token)).not.toBeNull()
    expect(await twin.authenticate(token, { checkRevocation: true })).toBeNull()
    expect(await twin.authenticate(token)).toBeNull()
  })
})

describe("answers that are lost", () => {
  /** The two servers behind a proxy that takes turns, and cuts the connection in place of every answer but each third. */
  async function startLossyProxy() {
    const ports = await Promise.all(
      both().map(async (auth) => {
        const server = createServer(nodeAuth(auth))
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
        closing.push(() => server.close())
        return (server.address() as AddressInfo).port
      }),
    )
    let connections = 0
    const proxy = createProxy((client) => {
      const number = connections++
      const upstream = connect(ports[number % 2] ?? 0, "127.0.0.1")
      for (const socket of [client, upstream]) socket.on("error", () => undefined)
      client.pipe(upstream)
      upstream.once("data", (answer) => {
        if (number % 3 === 2) client.write(answer)
        client.destroy()
        upstream.destroy()
      })
    })
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve))
    closing.push(() => proxy.close())
    return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/auth`
  }

  it("C3, F2: every step gets through by its repeats, as one session", async () => {
    const url = await startLossyProxy()
    let tries = 0
    async function post(path: string, body: unknown): Promise<ReturnType<typeof parsed>> {
      for (;;) {
        tries++
        const socketLost = { status: 0, json: async () => ({}) }
        const answer = await fetch(`${url}${path}`, {
          method: "POST",
          headers: { "content-type": "application/json", connection: "close" },
          body: JSON.stringify(body),
        }).catch(() => socketLost)
        if (answer.status === 0) continue
        expect([path, answer.status]).toEqual([path, 200])
        return (await answer.json()) as ReturnType<typeof parsed>
      }
    }
    const login = fixture.login()
    let grant = await post("/exchange", wire(login))
    const { session_id } = grant
    let { verifier } = login
    for (let step = 0; step < 5; step++) {
      const next = random()
      const body = {
        refresh_token: grant.refresh_token,
        session_verifier: verifier,
        session_challenge: s256(next),
      }
      grant = await post("/refresh", body)
      verifier = next
      expect(grant.session_id).toBe(session_id)
      expect(grant.session_token).toBeTypeOf("string")
    }
    expect(fixture.idp.calls.token).toBe(1)
    await post("/logout", { refresh_token: grant.refresh_token, session_verifier: verifier })
    expect(await twin.sessions.get(session_id)).toBeNull()
    expect(tries).toBe(3 * 7)
  })
})
