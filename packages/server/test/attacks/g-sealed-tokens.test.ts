import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Database from "libsql"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { PkceEvent } from "../../src/events.js"
import { createPkceServer } from "../../src/server.js"
import { sqliteStore } from "../../src/stores/sqlite.js"
import { type Fixture, random, s256, startServer, wire } from "../support/server.js"
import { spellingsOf } from "../support/spellings.js"

const [older, newer] = [random(), random()]

let folder: string
/** What somebody has who can write to the file. */
let database: Database.Database
let fixture: Fixture
/** Every token that the provider has issued. */
let issued: string[]

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "pkce-"))
  const path = join(folder, "auth.db")
  const store = sqliteStore(new Database(path))
  database = new Database(path)
  fixture = await startServer({ store, secrets: [older] }, { refreshTokens: { rotation: "strict" } })
  issued = []
  const json = (body: Record<string, unknown>) => {
    for (const name of ["access_token", "refresh_token", "id_token"])
      if (body[name] !== undefined) issued.push(String(body[name]))
    return { ...body, expires_in: 1 }
  }
  Object.assign(fixture.idp.faults, { token: { json }, refresh: { json } })
})
afterEach(async () => {
  await fixture.close()
  database.close()
  rmSync(folder, { recursive: true })
})

async function login() {
  const started = fixture.login()
  const grant = await fixture.auth.exchange(wire(started))
  return {
    sid: grant.session_id,
    refresh_token: grant.refresh_token ?? "",
    session_verifier: started.verifier,
  }
}
type Login = Awaited<ReturnType<typeof login>>

interface Sealed {
  profile: Buffer
  idp_grant: Buffer
  grant_rev: number
}
const sealedOf = ({ sid }: Login) =>
  database
    .prepare("SELECT profile, idp_grant, grant_rev FROM pkce_sessions WHERE sid = ?")
    .get(sid) as unknown as Sealed

const write = ({ sid }: Login, grant: Uint8Array, rev: number) =>
  database.prepare("UPDATE pkce_sessions SET idp_grant = ?, grant_rev = ? WHERE sid = ?").run(grant, rev, sid)

/** The tokens cannot be had, somebody hears of it, the session goes on, and nothing of the row is lost. */
async function expectUnreadable(session: Login, grant: Uint8Array): Promise<void> {
  const { sid, ...credentials } = session
  fixture.events.length = 0
  await expect(fixture.auth.provider(sid).accessToken({ minTtl: 60 })).rejects.toMatchObject({
    code: "provider_grant_unreadable",
  })
  const tampered = fixture.events.filter(({ type }: PkceEvent) => type === "store.tamper")
  expect(tampered).toMatchObject([{ session_id: sid }])
  const refreshed = await fixture.auth.refresh({ ...credentials, session_challenge: s256(random()) })
  expect(refreshed.session_id).toBe(sid)
  expect(Buffer.compare(sealedOf(session).idp_grant, grant)).toBe(0)
}

describe("the provider's tokens, in a real file", () => {
  it("G1: none that was ever issued is in the file, in any spelling", async () => {
    const sessions = [await login(), await login()]
    for (const { sid } of sessions) await fixture.auth.provider(sid).accessToken({ minTtl: 60 })
    const rotated = createPkceServer({ ...fixture.options, secrets: [newer, older] })
    expect(await rotated.resealSessions()).toMatchObject({ resealed: 2 })
    for (const { sid } of sessions) await rotated.provider(sid).accessToken({ minTtl: 60 })
    expect(issued.length).toBeGreaterThanOrEqual(14)

    const file = () => Buffer.concat(readdirSync(folder).map((name) => readFileSync(join(folder, name))))
    const found = (tokens: string[]) =>
      tokens.filter((token) => spellingsOf(token).some((spelling) => file().includes(spelling)))
    expect(file().includes(sessions[0]?.sid ?? "?")).toBe(true)
    expect(found(issued)).toEqual([])
    // The search would find one: here is one.
    await fixture.store.claim("ticket", "t", issued[0] ?? "", 60)
    expect(found(issued)).toEqual([issued[0]])
  })

  it("G2: a changed byte", async () => {
    const session = await login()
    const { idp_grant: sealed, grant_rev: rev } = sealedOf(session)
    const changed = Buffer.from(sealed)
    changed[changed.length - 20] = (changed.at(-20) ?? 0) ^ 1
    write(session, changed, rev)
    await expectUnreadable(session, changed)
  })

  it("G2: a tag that is cut to 32 bits", async () => {
    const session = await login()
    const { idp_grant: sealed, grant_rev: rev } = sealedOf(session)
    const cut = sealed.subarray(0, sealed.length - 12)
    write(session, cut, rev)
    await expectUnreadable(session, cut)
  })

  it("G3: the tokens of another session, even of the same user", async () => {
    const [session, other] = [await login(), await login()]
    const { idp_grant: theirs, grant_rev: rev } = sealedOf(other)
    write(session, theirs, rev)
    await expectUnreadable(session, theirs)
  })

  it("G4: older tokens of the same row, beside the revision of newer ones", async () => {
    const session = await login()
    const before = sealedOf(session)
    await fixture.auth.provider(session.sid).accessToken({ minTtl: 60 })
    const after = sealedOf(session)
    expect(after.grant_rev).toBe(before.grant_rev + 1)
    write(session, before.idp_grant, after.grant_rev)
    await expectUnreadable(session, before.idp_grant)
  })

  it("G7: the profile in the place of the tokens", async () => {
    const session = await login()
    const { profile } = sealedOf(session)
    write(session, profile, 0)
    await expectUnreadable(session, profile)
  })
})
