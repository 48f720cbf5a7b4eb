import * as api from "@opentelemetry/api"
import { expect, it } from "vitest"
import { call, parsed, random, s256, startServer, wire } from "./support/server.js"
import { spellingsOf } from "./support/spellings.js"
import { startRecorder } from "./support/telemetry.js"

/** Every text in which `secret` could stand in something exported. */
const spellings = (secret: string) => [
  ...spellingsOf(secret).map(String),
  Buffer.from(secret).toString("base64").replace(/=+$/, ""),
]

it("no secret of a login, a refresh, a logout or any failure of them is in a span or a metric", async () => {
  const recorder = startRecorder()
  const ownSecret = random()
  const fixture = await startServer({ openTelemetry: api, secrets: [ownSecret], fetchUserinfo: true })
  const { auth, idp } = fixture
  const person = { name: `name-${random()}`, email: `${random()}@example.com` }
  const secrets = new Set([ownSecret, idp.clientSecret, ...Object.values(person)])
  const texts: string[] = []
  const keep = (...values: unknown[]) => {
    for (const value of values) secrets.add(String(value))
  }

  const tokens = {
    json(body: { [name: string]: unknown }) {
      keep(body.access_token, body.id_token)
      return body
    },
  }
  function login(extra = {}) {
    const verifier = random()
    const finished = idp.finishLogin({ claims: person })
    const device = { name: `device-${random()}` }
    const made = { ...finished, session_challenge: s256(verifier), verifier, device, ...extra }
    keep(made.code, made.code_verifier, made.nonce, made.verifier, made.session_challenge, device.name)
    return made
  }
  async function post(path: string, body: object, query = "") {
    const answer = parsed(await call(auth, { path, body, query }))
    texts.push(String(answer.error ?? "ok"))
    return answer
  }

  idp.faults.token = tokens
  const honest = login()
  const grant = await post("/exchange", wire(honest))
  keep(grant.session_token, grant.refresh_token, grant.user_info?.sub)
  await post("/exchange", wire(honest))
  await post("/exchange", { ...wire(honest), code_verifier: random() })
  await post("/exchange", { ...wire(honest), redirect_uri: `https://evil.example/?code=${honest.code}` })
  await post("/exchange", { ...wire(login()), provider: honest.code.slice(0, 60) })
  await post("/exchange", { ...wire(login()), iss: honest.code })
  for (const fault of [
    { status: 500 },
    { hangUp: "after" as const },
    { raw: honest.code },
    { status: 400, json: () => ({ error: honest.code, error_description: honest.code_verifier }) },
  ]) {
    idp.faults.token = fault
    await post("/exchange", wire(login()))
  }
  idp.faults.token = tokens

  const next = random()
  keep(next, s256(next))
  const refresh = (challenge: string) => ({
    refresh_token: grant.refresh_token,
    session_verifier: honest.verifier,
    session_challenge: challenge,
  })
  const second = await post("/refresh", refresh(s256(next)))
  keep(second.refresh_token, second.session_token)
  await post("/refresh", refresh(s256(next)))
  await post("/refresh", {}, `refresh_token=${grant.refresh_token}`)
  const bye = login()
  const gone = await post("/exchange", wire(bye))
  keep(gone.session_token, gone.refresh_token)
  const out = await post("/logout", { refresh_token: gone.refresh_token, session_verifier: bye.verifier })
  const ticket = String(out.logout_url).split("/").at(-1) ?? ""
  keep(ticket)
  await call(auth, { method: "GET", path: `/logout/${ticket}` })
  // The team's own words for it, and a thief's next step.
  const why = `why-${random()}`
  keep(why)
  await auth.sessions.revoke(String((await post("/exchange", wire(login()))).session_id), why)
  await post("/refresh", refresh(s256(random())))
  Object.assign(fixture.options.store ?? {}, {
    claim: () => Promise.reject(new Error(`connect postgres://user:${ownSecret}@db`)),
    advance: () => Promise.reject(new TypeError(honest.code)),
  })
  await post("/exchange", wire(login()))
  await post("/refresh", refresh(s256(random())))
  await fixture.close()
  const exported = await recorder.text()
  await recorder.close()

  // The scan sees what it should: both halves of a run, good and bad, are in it.
  for (const code of ["ok", "login_failed", "exchange_interrupted", "unavailable", "session_reuse_detected"])
    expect(texts).toContain(code)
  for (const seen of ["pkce.exchange", "/userinfo", "code_replay", String(grant.session_id), "pkce.logins"])
    expect(exported).toContain(seen)
  expect(secrets.size).toBeGreaterThan(50)
  expect([...secrets].filter((secret) => secret.length < 20)).toEqual([])
  const found = [...secrets].filter((secret) => spellings(secret).some((text) => exported.includes(text)))
  expect(found).toEqual([])
  // An id in a metric would be a series of its own for every session.
  const [, metrics] = JSON.parse(exported) as [unknown, unknown]
  for (const { error_id, session_id, code_fp, sub } of fixture.events.map(
    (event) => event as { [name: string]: unknown },
  ))
    for (const id of [error_id, session_id, code_fp, sub])
      if (id !== undefined) expect(JSON.stringify(metrics)).not.toContain(id)
})
