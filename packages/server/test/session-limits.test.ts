import { afterEach, describe, expect, it } from "vitest"
import type { Store } from "../src/stores/contract.js"
import { memoryStore } from "../src/stores/memory.js"
import { call, type Fixture, parsed, random, s256, startServer, withoutPush } from "./support/server.js"

// Both while the code is remembered: a repeat of the login reads the row too.
const IDLE = 600
const ABSOLUTE = 800

let fixture: Fixture
/** Seconds by which the store's clock is ahead. */
let ahead: number
afterEach(() => fixture.close())

/** A store that tells of no idle limit: whoever asks has the absolute one to go by. */
function withoutIdle({ find, ...store }: Store): Store {
  return {
    ...store,
    async find(sid) {
      const { row, now } = await find(sid)
      return { row: row && { ...row, idleExpiresAt: Number.MAX_SAFE_INTEGER }, now }
    },
  }
}

async function signIn(change: (store: Store) => Store) {
  ahead = 0
  // The clock of this process stands still as far as a session token can see: only the row ends.
  const started = Math.floor(Date.now() / 1000) * 1000
  fixture = await startServer({
    store: change(withoutPush(memoryStore({ now: () => started + ahead * 1000 }))),
    session: { idleLifetime: IDLE, absoluteLifetime: ABSOLUTE },
  })
  const { verifier, ...body } = fixture.login()
  const exchange = () => call(fixture.auth, { path: "/exchange", body })
  const grant = parsed(await exchange())
  const { session_id: sid, session_token: token = "" } = grant
  return { sid, token, exchange, grant, verifier }
}
type SignedIn = Awaited<ReturnType<typeof signIn>>

const get = async (path: string, { token }: SignedIn) => {
  const headers = { authorization: `Bearer ${token}` }
  const answer = await call(fixture.auth, { method: "GET", path, headers })
  return answer.status === 200 || parsed(answer).error
}

/** Who reads the row: `true`, or how it is told that the session is over. */
const readers: [string, (session: SignedIn) => Promise<unknown>, unknown][] = [
  ["GET /session", (session) => get("/session", session), "session_expired"],
  [
    "authenticate",
    async ({ token }) => (await fixture.auth.authenticate(token, { checkRevocation: true })) !== null,
    false,
  ],
  ["sessions.get", async ({ sid }) => (await fixture.auth.sessions.get(sid)) !== null, false],
  [
    "provider(session).accessToken",
    ({ sid }) =>
      fixture.auth
        .provider(sid)
        .accessToken()
        .then(Boolean, ({ code }) => code),
    "session_expired",
  ],
  [
    "a repeat of /exchange",
    async ({ exchange }) => {
      const answer = await exchange()
      return answer.status === 200 || parsed(answer).error
    },
    "exchange_interrupted",
  ],
]

describe.each<[string, number, (store: Store) => Store]>([
  ["idle", IDLE, (store) => store],
  ["absolute", ABSOLUTE, withoutIdle],
])("F13: the %s limit", (_, limit, change) => {
  it.each(readers)(
    "F13: ends the session in the very second that it names, for %s",
    async (__, read, over) => {
      const session = await signIn(change)
      ahead = limit - 1
      expect(await read(session)).toBe(true)
      ahead = limit
      expect(await read(session)).toBe(over)
    },
  )
})

it("F13: a session token lives no longer than its session", async () => {
  const { grant, verifier } = await signIn((store) => store)
  let line = { refresh_token: grant.refresh_token, session_verifier: verifier }
  const lifetimes: unknown[] = []
  for (const time of [IDLE - 1, ABSOLUTE - 20]) {
    ahead = time
    const next = random()
    const body = { ...line, session_challenge: s256(next) }
    const answer = parsed(await call(fixture.auth, { path: "/refresh", body }))
    line = { refresh_token: answer.refresh_token, session_verifier: next }
    lifetimes.push(answer.expires_in)
  }
  expect(lifetimes[0]).toBeLessThanOrEqual(ABSOLUTE - IDLE + 1)
  expect(lifetimes[1]).toBe(20)
})
