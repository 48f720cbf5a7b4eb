import { randomBytes } from "node:crypto"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { PkceServerOptions } from "../src/config/options.js"
import type { PkceServer } from "../src/server-types.js"
import { call, type Fixture, startServer, wire } from "./support/server.js"

let fixture: Fixture
const start = async (options: Partial<PkceServerOptions> = {}) => {
  fixture = await startServer(options, { refreshTokens: { rotation: "strict" } })
}
beforeEach(() => start())
afterEach(() => fixture.close())

const signIn = async (auth: PkceServer = fixture.auth) => {
  const login = fixture.login()
  const grant = await auth.exchange(wire(login))
  const headers = { authorization: `Bearer ${grant.session_token}` }
  return { login, grant, headers, sid: grant.session_id, sub: String(grant.user_info?.sub) }
}
/** What the provider was asked to revoke, once everything is done. */
async function revocations(): Promise<URLSearchParams[]> {
  await fixture.auth.close()
  return fixture.idp.requests
    .filter(({ endpoint }) => endpoint === "revocation")
    .map(({ body }) => new URLSearchParams(body))
}

describe("RFC 7009: whatever ends a session revokes the provider's refresh token", () => {
  it("a logout", async () => {
    const { headers } = await signIn()
    expect((await call(fixture.auth, { path: "/logout", headers, body: {} })).status).toBe(200)
    const [asked, ...others] = await revocations()
    expect(others).toEqual([])
    expect(asked?.get("token_type_hint")).toBe("refresh_token")
    expect(asked?.get("token")).toMatch(/./)
  })

  it("a repeated logout asks once", async () => {
    const { headers } = await signIn()
    for (const _again of [1, 2]) await call(fixture.auth, { path: "/logout", headers, body: {} })
    expect(await revocations()).toHaveLength(1)
  })

  it("an administrator, one session or all of a user's", async () => {
    const [first, second, third] = [await signIn(), await signIn(), await signIn()]
    await fixture.auth.sessions.revoke(first.sid)
    await fixture.auth.sessions.revokeAll(second.sub, { except: third.sid })
    const tokens = (await revocations()).map((form) => form.get("token"))
    expect(new Set(tokens).size).toBe(2)
  })

  it("the user, from another device", async () => {
    const [here, there] = [await signIn(), await signIn()]
    const path = `/sessions/${there.sid}`
    expect((await call(fixture.auth, { method: "DELETE", path, headers: here.headers })).status).toBe(204)
    expect(await revocations()).toHaveLength(1)
  })

  it("reuse of the session's own credential", async () => {
    const { login, grant } = await signIn()
    const challenge = () => randomBytes(32).toString("base64url")
    const use = (session_challenge: string) =>
      call(fixture.auth, {
        path: "/refresh",
        body: { refresh_token: grant.refresh_token, session_verifier: login.verifier, session_challenge },
      })
    expect((await use(challenge())).status).toBe(200)
    expect((await use(challenge())).status).toBe(401)
    expect(await revocations()).toHaveLength(1)
  })

  it("a failure of it is told, and costs nobody anything", async () => {
    fixture.idp.faults.revocation = { status: 503 }
    const { headers, sid } = await signIn()
    expect((await call(fixture.auth, { path: "/logout", headers, body: {} })).status).toBe(200)
    await revocations()
    expect(fixture.events).toContainEqual(
      expect.objectContaining({ type: "idp.revocation.failed", session_id: sid }),
    )
  })

  it("I3: the provider is asked when the session has ended already, and nobody waits for it", async () => {
    const { headers, sid } = await signIn()
    fixture.idp.faults.revocation = { delay: 300 }
    expect((await call(fixture.auth, { path: "/logout", headers, body: {} })).status).toBe(200)
    expect((await fixture.store.find(sid)).row?.revokedReason).toBe("logout")
    expect(await revocations()).toHaveLength(1)
  })

  it("unless it is switched off", async () => {
    await fixture.close()
    await start({ revokeTokens: false })
    const { headers } = await signIn()
    await call(fixture.auth, { path: "/logout", headers, body: {} })
    expect(await revocations()).toEqual([])
  })
})
