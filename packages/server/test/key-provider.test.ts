import { afterEach, describe, expect, it } from "vitest"
import { resolveConfig } from "../src/config/resolve.js"
import type { KeyProvider, PkceServer, PkceServerOptions } from "../src/index.js"
import { createPkceServer } from "../src/server.js"
import { call, type Fixture, parsed, random, s256, startServer, wire } from "./support/server.js"

const down = () => Promise.reject(new Error("the KMS is down"))

/** A KMS that a test takes away and gives back. */
function kms() {
  const state = { up: true, retired: false, calls: 0 }
  const key = Buffer.alloc(32, 7)
  const provider: KeyProvider = {
    async current() {
      state.calls++
      return state.up ? { id: "kms-1", key } : down()
    },
    async find(id) {
      state.calls++
      if (!state.up) return down()
      return state.retired ? "retired" : id === "kms-1" ? key : "unknown"
    },
  }
  return { state, provider }
}

let fixture: Fixture
afterEach(() => fixture.close())

/** Another process of the same configuration: its memory is empty. */
const restarted = (change: Partial<PkceServerOptions> = {}) =>
  createPkceServer({ ...fixture.options, ...change })

async function login() {
  const started = fixture.login()
  const grant = await fixture.auth.exchange(wire(started))
  return { grant, verifier: started.verifier }
}

const refreshOf = ({ grant, verifier }: Awaited<ReturnType<typeof login>>) => ({
  path: "/refresh",
  body: {
    refresh_token: grant.refresh_token,
    session_verifier: verifier,
    session_challenge: s256(random()),
  },
})

async function stored(sid: string) {
  const { row } = await fixture.store.find(sid)
  if (!row) throw new Error("no row")
  return row
}
/** The version, the length of the id, and the id. */
const headOf = (sealed: Uint8Array | null) => {
  const [version, high, low, ...rest] = sealed ?? []
  return [version, high, low, ...String.fromCharCode(...rest.slice(0, 5))]
}

describe("keyProvider", () => {
  it("seals what the store keeps; the session line goes on with secrets", async () => {
    const { provider } = kms()
    fixture = await startServer({ keyProvider: provider, session: { claims: ["name"] } })
    const session = await login()
    const row = await stored(session.grant.session_id)
    for (const sealed of [row.profile, row.grant]) expect(headOf(sealed)).toEqual([2, 0, 5, ..."kms-1"])
    expect(parsed(await call(restarted(), refreshOf(session)))).toMatchObject({ token_type: "Bearer" })
  })

  it("G6: a KMS that is down is 503 and never 401, nothing is deleted, and no code is spent", async () => {
    const { state, provider } = kms()
    fixture = await startServer({ keyProvider: provider, session: { claims: ["name"] } })
    const session = await login()
    const row = await stored(session.grant.session_id)
    const waiting = fixture.login()
    state.up = false

    // A process that has the key goes on, a day long.
    expect((await call(fixture.auth, refreshOf(session))).status).toBe(200)
    const cold = restarted()
    fixture.events.length = 0
    const refused = await call(cold, { path: "/exchange", body: wire(waiting) })
    expect([refused.status, parsed(refused).error, parsed(refused).retryable]).toEqual([
      503,
      "unavailable",
      true,
    ])
    expect(fixture.idp.calls.token).toBe(1)
    expect(fixture.events.map(({ type }) => type)).toEqual(["keyring.failed", "auth.request.refused"])
    expect(fixture.events[0]).toMatchObject({ error_id: parsed(refused).error_id })
    expect(JSON.stringify(fixture.events)).not.toContain("KMS")
    const { profile, grant, revokedAt } = await stored(session.grant.session_id)
    expect({ profile, grant, revokedAt }).toEqual({ profile: row.profile, grant: row.grant, revokedAt: null })

    state.up = true
    expect((await call(cold, { path: "/exchange", body: wire(waiting) })).status).toBe(200)
  })

  it("sessions move there and back by resealSessions, and go on at each step", async () => {
    const { provider } = kms()
    fixture = await startServer({ session: { claims: ["name"] } })
    const session = await login()
    const sid = session.grant.session_id
    const opened = async (auth: PkceServer) => [
      await auth.provider(sid).claims(),
      await auth.provider(sid).accessToken({ minTtl: 60 }),
    ]
    const before = await opened(fixture.auth)
    const there = restarted({ keyProvider: provider })
    expect(await there.resealSessions()).toEqual({
      rows: { "key-provider:kms-1": 1 },
      resealed: 1,
      unreadable: 0,
      skipped: 0,
    })
    expect(headOf((await stored(sid)).profile)).toEqual([2, 0, 5, ..."kms-1"])
    expect(parsed(await call(there, refreshOf(session))).session_token).toBeDefined()
    expect(await opened(there)).toEqual(before)

    const back = restarted({ keyProvider: { ...provider, current: async () => null } })
    expect(await back.resealSessions()).toMatchObject({ resealed: 1, skipped: 0 })
    const gone = restarted()
    expect(await gone.resealSessions()).toMatchObject({ resealed: 0, skipped: 0, unreadable: 0 })
    expect(await opened(gone)).toEqual(before)
  })

  it("a retired key makes the provider's tokens unreadable, and the session goes on", async () => {
    const { state, provider } = kms()
    fixture = await startServer({ keyProvider: provider })
    const session = await login()
    state.retired = true
    const process = restarted()
    await expect(
      process.provider(session.grant.session_id).accessToken({ minTtl: 60 }),
    ).rejects.toMatchObject({
      code: "provider_grant_unreadable",
    })
    expect((await call(process, refreshOf(session))).status).toBe(200)
  })

  it("asks the KMS once for many requests", async () => {
    const { state, provider } = kms()
    fixture = await startServer({ keyProvider: provider, session: { claims: ["name"] } })
    const sessions = [await login(), await login(), await login()]
    expect(state.calls).toBe(1)
    state.calls = 0
    const other = restarted()
    await Promise.all(sessions.map((session) => call(other, refreshOf(session))))
    expect(state.calls).toBe(1)
  })

  it("is judged at start", async () => {
    const { provider } = kms()
    fixture = await startServer()
    const { keyProvider: _, ...rest } = fixture.options
    const faultsOf = (keyProvider: unknown) => {
      try {
        resolveConfig({ ...rest, keyProvider } as PkceServerOptions, {})
        return []
      } catch (error) {
        return (error as { faults: { option: string }[] }).faults.map(({ option }) => option)
      }
    }
    for (const wrong of [{}, null, "kms", { current: provider.current }, { ...provider, wrappedBy: "x" }])
      expect(faultsOf(wrong)).toEqual(["keyProvider"])
    expect(faultsOf(provider)).toEqual([])
    expect(faultsOf({ ...provider, wrappedBy: (id: string) => id })).toEqual([])
  })
})
