import { expect, it } from "vitest"
import { memoryStore } from "../src/stores/memory.js"
import { call, parsed, random, s256, startServer, wire } from "./support/server.js"

it("the provider is down for an hour: logins fail, to be tried again; sessions, refreshes and API calls go on", async () => {
  const started = Date.now()
  let ahead = 0
  const clock = () => started + ahead * 1000
  const fixture = await startServer(
    { store: memoryStore({ now: clock }) },
    { refreshTokens: { rotation: "strict" }, accessTokenLifetime: 7200 },
  )
  const { auth, idp } = fixture
  const login = fixture.login()
  const grant = await auth.exchange(wire(login))
  const token = await auth.provider(grant.session_id).accessToken()

  idp.faults.token = { hangUp: "before" }
  idp.faults.refresh = { hangUp: "before" }
  idp.faults.discovery = { hangUp: "before" }
  idp.faults.jwks = { hangUp: "before" }
  let line = { refresh_token: grant.refresh_token, session_verifier: login.verifier }
  let bearer = String(grant.session_token)
  for (let minute = 0; minute < 60; minute++) {
    ahead += 60
    const failed = await call(auth, { path: "/exchange", body: wire(fixture.login()) })
    // A connection that broke after the code had left is not to be repeated with that code; the login is.
    expect([409, 503]).toContain(failed.status)
    expect(parsed(failed).error).toMatch(/^(exchange_interrupted|idp_unavailable)$/)

    const next = random()
    const refreshed = await auth.refresh({ ...line, session_challenge: s256(next) } as never)
    line = { refresh_token: refreshed.refresh_token, session_verifier: next }
    bearer = String(refreshed.session_token)
    expect(await auth.authenticate(bearer, { checkRevocation: true })).toMatchObject({ id: grant.session_id })
    expect(await auth.provider(grant.session_id).accessToken()).toBe(token)
    await auth.refreshDueGrants({ within: 7200 })
  }
  idp.faults = {}
  expect((await call(auth, { path: "/exchange", body: wire(fixture.login()) })).status).toBe(200)
  const { row } = await fixture.store.find(grant.session_id)
  expect(row).toMatchObject({ revokedAt: null, gen: 60 })
  expect(["ok", "uncertain"]).toContain(row?.grantState)
  await fixture.close()
})
