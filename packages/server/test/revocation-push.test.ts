import { afterEach, beforeEach, expect, test } from "vitest"
import { createPkceServer } from "../src/server.js"
import { memoryStore } from "../src/stores/memory.js"
import { call, type Fixture, random, s256, startServer, wire, withoutPush } from "./support/server.js"

let fixture: Fixture
beforeEach(async () => {
  fixture = await startServer()
})
afterEach(() => fixture.close())

async function signIn() {
  const body = wire(fixture.login(fixture.idp.finishLogin({ sub: "ada" })))
  const {
    session_token: token,
    session_id: sid,
    refresh_token,
    user_info,
  } = await fixture.auth.exchange(body)
  return { token: String(token), sid, refresh_token, sub: String(user_info?.sub) }
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

type Ended = Awaited<ReturnType<typeof signIn>>
const refresh = ({ refresh_token }: Ended, session_verifier: string) =>
  call(fixture.auth, {
    path: "/refresh",
    body: { refresh_token, session_verifier, session_challenge: s256(random()) },
  })
const bearer = ({ token }: Ended) => ({ authorization: `Bearer ${token}` })

test.each<[string, (ended: Ended, kept: Ended) => Promise<unknown>]>([
  ["a logout", (ended) => call(fixture.auth, { path: "/logout", headers: bearer(ended) })],
  ["an administrator", ({ sid }) => fixture.auth.sessions.revoke(sid)],
  [
    "an administrator, with all of the user's others",
    ({ sub }, { sid }) => fixture.auth.sessions.revokeAll(sub, { except: sid }),
  ],
  [
    "the user from another device",
    ({ sid }, kept) =>
      call(fixture.auth, { method: "DELETE", path: `/sessions/${sid}`, headers: bearer(kept) }),
  ],
  ["an alarm of the line", (ended) => refresh(ended, random())],
])("F11: what is ended by %s is refused here at once, though the store tells nobody", async (_, end) => {
  await fixture.close()
  fixture = await startServer({ store: withoutPush(memoryStore()) })
  const [ended, kept] = [await signIn(), await signIn()]
  expect(await fixture.auth.authenticate(ended.token)).not.toBeNull()
  await end(ended, kept)
  const before = { ...fixture.store.calls }
  expect(await fixture.auth.authenticate(ended.token)).toBeNull()
  expect(await fixture.auth.authenticate(kept.token)).not.toBeNull()
  expect(fixture.store.calls).toEqual(before)
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
