import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Store } from "../src/stores/contract.js"
import { memoryStore } from "../src/stores/memory.js"
import { mounts } from "./support/mounts.js"
import { call, type Fixture, parsed, startServer, wire } from "./support/server.js"

const V4 = "203.0.113.77"
const V6 = "2001:db8:1:2345:6789:abcd:ef01:2345"

let store: Store
let fixture: Fixture
beforeEach(async () => {
  store = memoryStore()
  fixture = await startServer({
    store,
    clientAddress: ({ headers }) => headers.get("x-real-ip") ?? undefined,
  })
})
afterEach(() => fixture.close())

const exchange = (body: unknown, address?: string) =>
  call(fixture.auth, { path: "/exchange", body, ...(address !== undefined && { address }) })
const rowOf = async (sid: string) => (await store.find(sid)).row
const deviceIn = async (sid: string): Promise<unknown> => JSON.parse((await rowOf(sid))?.device ?? "null")

describe("F14: the address of a login", () => {
  it.each([
    [V4, "203.0.113.0"],
    [`::ffff:${V4}`, "203.0.113.0"],
    [V6, "2001:db8:1::"],
  ])("F14: %s is shown truncated, and is nowhere in full", async (address, ip) => {
    const device = { name: "phone" }
    const exchanged = await exchange({ ...wire(fixture.login()), device }, address)
    const grant = parsed(exchanged)
    const headers = { authorization: `Bearer ${grant.session_token}` }
    const listed = await call(fixture.auth, { method: "GET", path: "/sessions", headers })
    expect(parsed(listed).sessions).toMatchObject([{ device: { name: "phone", ip } }])
    const told = [
      await fixture.auth.sessions.list(String(grant.user_info?.sub)),
      await fixture.auth.sessions.get(grant.session_id),
    ]
    expect(told.flat().map((record) => record?.device)).toEqual(Array(2).fill({ name: "phone", ip }))
    expect(await deviceIn(grant.session_id)).toEqual({ name: "phone", ip })

    const everything = [exchanged, listed, told, await rowOf(grant.session_id), fixture.events]
    const text = JSON.stringify([everything, fixture.warnings])
    expect(text).toContain(ip)
    for (const part of [V4, V6, "2345:6789"]) expect(text).not.toContain(part)
  })

  it("F14: no client can claim one", async () => {
    const answer = await exchange({ ...wire(fixture.login()), device: { ip: "198.51.100.0" } }, V4)
    expect([answer.status, parsed(answer).error]).toEqual([400, "invalid_request"])
    expect(fixture.store.calls).toEqual({})
  })

  it.each([undefined, "", "unknown", "proxy, 203.0.113.77"])("of %j nothing is kept", async (address) => {
    const grant = parsed(await exchange(wire(fixture.login()), address))
    expect(await deviceIn(grant.session_id)).toEqual({})
  })

  it("stays as it was at a repeat from elsewhere", async () => {
    const body = wire(fixture.login())
    const grant = parsed(await exchange(body, V4))
    const row = await rowOf(grant.session_id)
    const repeat = await exchange(body, V6)
    expect([repeat.status, parsed(repeat).refresh_token]).toEqual([200, grant.refresh_token])
    expect(await rowOf(grant.session_id)).toEqual(row)
    expect(await deviceIn(grant.session_id)).toEqual({ ip: "203.0.113.0" })
  })

  it("comes by the plain function, by fetch, and by a mount", async () => {
    const direct = await fixture.auth.exchange(wire(fixture.login()), { clientAddress: V6 })
    expect(await deviceIn(direct.session_id)).toEqual({ ip: "2001:db8:1::" })
    const unknown = await fixture.auth.exchange(wire(fixture.login()))
    expect(await deviceIn(unknown.session_id)).toEqual({})

    const headers = { "content-type": "application/json", "x-real-ip": V4 }
    const init = { method: "POST", headers, body: JSON.stringify(wire(fixture.login())) }
    const fetched = await (await fixture.auth.fetch(new Request("http://x/auth/exchange", init))).json()
    expect(await deviceIn(fetched.session_id)).toEqual({ ip: "203.0.113.0" })

    const app = await mounts.express?.(fixture.auth, () => undefined)
    const body = JSON.stringify(wire(fixture.login()))
    const posted = await fetch(`${app?.origin}/auth/exchange`, { ...init, body })
    expect(await deviceIn((await posted.json()).session_id)).toEqual({ ip: "127.0.0.0" })
    await app?.close()
  })
})
