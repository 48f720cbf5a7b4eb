import { afterEach, beforeEach, expect, test } from "vitest"
import { createPkceServer } from "../src/server.js"
import { memoryStore } from "../src/stores/memory.js"
import { call, type Fixture, parsed, startServer, wire } from "./support/server.js"

let fixture: Fixture
beforeEach(async () => {
  fixture = await startServer()
})
afterEach(() => fixture.close())

async function signIn() {
  const grant = parsed(await call(fixture.auth, { path: "/exchange", body: wire(fixture.login()) }))
  return { token: String(grant.session_token), sid: grant.session_id }
}

test("F11: what another process ends is refused here without asking the store", async () => {
  const other = createPkceServer(fixture.options)
  const [ended, kept] = [await signIn(), await signIn()]
  expect(await fixture.auth.authenticate(ended.token)).not.toBeNull()
  await other.sessions.revoke(ended.sid)
  const before = { ...fixture.store.calls }
  expect(await fixture.auth.authenticate(ended.token)).toBeNull()
  expect(await fixture.auth.authenticate(kept.token)).not.toBeNull()
  expect(fixture.store.calls).toEqual(before)
  await other.close()
})

test("a server that is closed listens no more", async () => {
  let listening = 0
  const store = {
    ...memoryStore(),
    onRevoked() {
      listening++
      return () => {
        listening--
      }
    },
  }
  const other = createPkceServer({ ...fixture.options, store })
  expect(listening).toBe(1)
  await other.close()
  expect(listening).toBe(0)
})
