import { afterAll, expect, it, vi } from "vitest"
import { createPkceServer } from "../src/server.js"
import { call, parsed, random, s256, startServer, wire } from "./support/server.js"

const spellings = (secret: string) => [
  secret,
  Buffer.from(secret).toString("base64").replace(/=+$/, ""),
  Buffer.from(secret).toString("base64url"),
  Buffer.from(secret).toString("hex"),
  encodeURIComponent(secret),
]

const printed: unknown[] = []
const spies = (["log", "info", "warn", "error", "debug"] as const).map((name) =>
  vi.spyOn(console, name).mockImplementation((...args) => void printed.push(args)),
)
const streams = [process.stdout, process.stderr].map((stream) =>
  vi.spyOn(stream, "write").mockImplementation((chunk) => {
    printed.push(String(chunk))
    return true
  }),
)
afterAll(() => {
  for (const spy of [...spies, ...streams]) spy.mockRestore()
})

it("GR2: no secret of a login, a refresh, a logout or any failure of them is in an event, an error or the console", async () => {
  const ownSecret = random()
  const fixture = await startServer({ secrets: [ownSecret] })
  const secrets = new Set([ownSecret, fixture.idp.clientSecret])
  const refusals: unknown[] = []
  const login = () => {
    const made = fixture.login()
    for (const name of ["code", "code_verifier", "nonce", "verifier"] as const) secrets.add(made[name])
    return made
  }
  const exchange = async (body: object) => {
    const answer = await call(fixture.auth, { path: "/exchange", body })
    if (answer.status >= 400) refusals.push(answer)
    return parsed(answer)
  }

  const honest = login()
  const grant = await exchange(wire(honest))
  for (const value of [grant.session_token, grant.refresh_token]) secrets.add(String(value))
  await exchange({ ...wire(honest), code_verifier: random() })
  await exchange({ ...wire(honest), redirect_uri: `https://evil.example/?code=${honest.code}` })
  await exchange({ ...wire(login()), [honest.code]: honest.code_verifier })
  await exchange({ ...wire(login()), iss: honest.code })
  for (const fault of [
    { status: 500 },
    { hangUp: "after" as const },
    { raw: honest.code },
    { status: 400, json: () => ({ error: honest.code }) },
  ]) {
    fixture.idp.faults.token = fault
    await exchange(wire(login()))
  }
  fixture.idp.faults = {}

  const refresh = (challenge: string) => ({
    refresh_token: grant.refresh_token,
    session_verifier: honest.verifier,
    session_challenge: challenge,
  })
  for (const body of [refresh(s256(random())), refresh(s256(random())), { refresh_token: honest.code }]) {
    const answer = await call(fixture.auth, { path: "/refresh", body })
    if (answer.status >= 400) refusals.push(answer)
    else secrets.add(String(parsed(answer).refresh_token))
  }
  const query = `refresh_token=${grant.refresh_token}`
  refusals.push(await call(fixture.auth, { path: "/refresh", body: {}, query }))
  Object.assign(fixture.options.store ?? {}, {
    find: () => Promise.reject(new Error(`connect postgres://user:${ownSecret}@db`)),
  })
  const headers = { authorization: `Bearer ${grant.session_token}` }
  refusals.push(await call(fixture.auth, { method: "GET", path: "/session", headers }))
  for (const work of [
    () => fixture.auth.exchange({ ...wire(login()), code_verifier: random() }),
    () => fixture.auth.refresh(refresh(s256(random())) as never),
    async () => createPkceServer({ ...fixture.options, secrets: [ownSecret, ownSecret], url: ownSecret }),
  ]) {
    const error: Error = await work().then(
      () => {
        throw new Error("should have failed")
      },
      (thrown) => thrown,
    )
    refusals.push([
      error.message,
      error.stack,
      String(error.cause),
      JSON.stringify(error),
      Object.entries(error),
    ])
  }
  await fixture.close()

  expect(refusals.length).toBeGreaterThan(12)
  const seen = JSON.stringify([refusals, fixture.events, fixture.warnings, printed])
  // The scan sees what it should: an event's own reason is found in it.
  expect(seen).toContain("code_replay")
  const found = [...secrets].filter((secret) => spellings(secret).some((spelling) => seen.includes(spelling)))
  expect(secrets.size).toBeGreaterThan(30)
  expect(found).toEqual([])
})
