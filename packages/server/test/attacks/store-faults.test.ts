import { afterEach, describe, expect, it, vi } from "vitest"
import { guard } from "../../src/mounts/refusal.js"
import { memoryStore } from "../../src/stores/memory.js"
import { faultyStore } from "../support/faulty-store.js"
import {
  type Call,
  call,
  type Fixture,
  parsed,
  random,
  s256,
  startServer,
  wire,
  withoutPush,
} from "../support/server.js"

interface Rig extends Fixture {
  faulty: ReturnType<typeof faultyStore>
  /** Seconds by which the store's clock is set forward. */
  jump(seconds: number): void
  signIn(): Promise<{ login: ReturnType<Fixture["login"]>; grant: ReturnType<typeof parsed> }>
}

async function createRig(): Promise<Rig> {
  let ahead = 0
  const faulty = faultyStore(withoutPush(memoryStore({ now: () => Date.now() + ahead })))
  const fixture = await startServer({ store: faulty.store })
  return {
    ...fixture,
    faulty,
    jump(seconds) {
      ahead += seconds * 1000
    },
    async signIn() {
      const login = fixture.login()
      const answer = await call(fixture.auth, { path: "/exchange", body: wire(login) })
      expect(answer.status).toBe(200)
      return { login, grant: parsed(answer) }
    },
  }
}

const bearer = ({ session_token }: { session_token?: unknown }) => ({
  authorization: `Bearer ${String(session_token)}`,
})
const line = ({ login, grant }: Awaited<ReturnType<Rig["signIn"]>>) => ({
  refresh_token: grant.refresh_token,
  session_verifier: login.verifier,
})

/** Each prepares a server and says which request is then made; the same one again is its repeat. */
const routes: Record<string, (rig: Rig) => Promise<Call>> = {
  "GET /config": async () => ({ method: "GET", path: "/config" }),
  "POST /exchange": async (rig) => ({ path: "/exchange", body: wire(rig.login()) }),
  "POST /exchange, without a line": async (rig) => {
    const { session_challenge: _, ...body } = wire(rig.login())
    return { path: "/exchange", body }
  },
  "POST /exchange, where the store's clock is another": async (rig) => {
    rig.jump(3600)
    return { path: "/exchange", body: wire(rig.login()) }
  },
  "POST /exchange, a repeat": async (rig) => ({ path: "/exchange", body: wire((await rig.signIn()).login) }),
  "POST /refresh": async (rig) => ({
    path: "/refresh",
    body: { ...line(await rig.signIn()), session_challenge: s256(random()) },
  }),
  "POST /refresh, a repeat": async (rig) => {
    const body = { ...line(await rig.signIn()), session_challenge: s256(random()) }
    expect((await call(rig.auth, { path: "/refresh", body })).status).toBe(200)
    return { path: "/refresh", body }
  },
  "POST /refresh by a thief": async (rig) => {
    const body = { ...line(await rig.signIn()), session_challenge: s256(random()) }
    expect((await call(rig.auth, { path: "/refresh", body })).status).toBe(200)
    return { path: "/refresh", body: { ...body, session_challenge: s256(random()) } }
  },
  "POST /refresh by a thief without the verifier": async (rig) => ({
    path: "/refresh",
    body: {
      ...line(await rig.signIn()),
      session_verifier: random(),
      session_challenge: s256(random()),
    },
  }),
  "GET /session": async (rig) => ({
    method: "GET",
    path: "/session",
    headers: bearer((await rig.signIn()).grant),
  }),
  "GET /sessions": async (rig) => ({
    method: "GET",
    path: "/sessions",
    headers: bearer((await rig.signIn()).grant),
  }),
  "DELETE /sessions": async (rig) => {
    await rig.signIn()
    return { method: "DELETE", path: "/sessions", headers: bearer((await rig.signIn()).grant) }
  },
  "DELETE /sessions/{id}": async (rig) => {
    const other = await rig.signIn()
    const headers = bearer((await rig.signIn()).grant)
    return { method: "DELETE", path: `/sessions/${other.grant.session_id}`, headers }
  },
  "POST /logout": async (rig) => ({ path: "/logout", headers: bearer((await rig.signIn()).grant) }),
  "POST /logout, by the line": async (rig) => ({ path: "/logout", body: line(await rig.signIn()) }),
  "GET /logout/{ticket}": async (rig) => {
    const headers = bearer((await rig.signIn()).grant)
    const { logout_url } = parsed(await call(rig.auth, { path: "/logout", headers }))
    return { method: "GET", path: `/${String(logout_url)}` }
  },
}

/** What a repeat is answered where it cannot be what the first would have been. Each is the end of that story, not a 5xx. */
const otherwise: Record<string, number> = {
  // The code is claimed, and nobody is at it: the app starts the login anew once the claim has run out.
  "POST /exchange 1 after": 409,
  "POST /exchange, without a line 1 after": 409,
  "POST /exchange, where the store's clock is another 1 after": 409,
  "POST /exchange, where the store's clock is another 2 before": 409,
  "POST /exchange, where the store's clock is another 2 after": 409,
  "POST /exchange, where the store's clock is another 2 never": 409,
  // The code is spent and there is no session.
  "POST /exchange 2 before": 409,
  "POST /exchange 2 never": 409,
  "POST /exchange, without a line 2 before": 409,
  "POST /exchange, without a line 2 never": 409,
  "POST /exchange, where the store's clock is another 3 before": 409,
  "POST /exchange, where the store's clock is another 3 never": 409,
  // A ticket that was taken is gone.
  "GET /logout/{ticket} 1 after": 404,
}

const rigs: Rig[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const rig of rigs.splice(0)) await rig.close()
})
async function prepared(name: string) {
  const rig = await createRig()
  rigs.push(rig)
  const request = await (routes[name] ?? routes["GET /config"])?.(rig)
  if (!request) throw new Error("no such route")
  return { rig, request }
}

/** What comes of work in which a call of the store may never end; the time that it is given is jumped over. */
async function inTime<T>(rig: Rig, work: () => Promise<T>): Promise<T> {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
  let over = false
  const outcome = work().finally(() => {
    over = true
  })
  while (!over && !rig.faulty.isHanging()) await new Promise((resolve) => setImmediate(resolve))
  vi.advanceTimersByTime(1_900)
  await outcome
  vi.useRealTimers()
  return outcome
}

describe.each(Object.keys(routes))("G9: %s, while the store fails at one of its calls", (name) => {
  it("is 503 or what it should be, never 401 or 500, and so is its repeat", async () => {
    const clean = await prepared(name)
    clean.rig.faulty.arm(Number.POSITIVE_INFINITY, "before")
    const { status: good } = await call(clean.rig.auth, clean.request)
    const steps = clean.rig.faulty.calls()
    if (name !== "GET /config") expect(steps).toBeGreaterThan(0)

    for (let n = 1; n <= steps; n++) {
      for (const fault of ["before", "after", "never"] as const) {
        const told = `${name} ${n} ${fault}`
        const { rig, request } = await prepared(name)
        rig.faulty.arm(n, fault)
        const answer = await inTime(rig, () => call(rig.auth, request))
        expect([answer.status, told]).toEqual([503, told])
        expect(parsed(answer)).toMatchObject({ error: "unavailable", retryable: true, retry_after: 1 })
        expect(answer.body).not.toContain("CANARY")
        const failures = rig.events.filter(({ type }) => type === "store.failed")
        expect([failures.length, told]).toEqual([1, told])

        // Past the claim of a process that died, which the repeat would otherwise wait for.
        if (otherwise[told] === 409) rig.jump(21)
        const again = await call(rig.auth, request)
        expect([again.status, told]).toEqual([otherwise[told] ?? good, told])
        const third = await call(rig.auth, request)
        expect(third.status).toBeLessThan(500)
      }
    }
  })
})

describe("G9: the guard", () => {
  it.each(["before", "never"] as const)(
    "with checkRevocation is 503 where the store fails (%s); without it nobody notices",
    async (fault) => {
      const { rig } = await prepared("GET /config")
      const { authorization } = bearer((await rig.signIn()).grant)
      rig.faulty.arm(1, fault)
      expect((await guard(rig.auth, authorization, {})).session).toBeDefined()
      const asking = () => guard(rig.auth, authorization, { checkRevocation: true })
      expect((await inTime(rig, asking)).refusal?.status).toBe(503)
      expect((await asking()).session).toBeDefined()
    },
  )
})
