import Database from "libsql"
import { describe, expect, test } from "vitest"
import { sqliteStore } from "../src/stores/sqlite.js"
import { createRig, newVerifier, requestOf, rolledBack, s256 } from "./support/line.js"
import { spellingsOf } from "./support/spellings.js"

describe("logout without a bearer", () => {
  test("is proved by the current pair and by the last one, and by nothing else", async () => {
    const rig = createRig()
    const holder = await rig.login()
    const pairs: { refreshToken: string; verifier: string }[] = []
    for (let gen = 0; gen < 4; gen++) {
      pairs.push({ refreshToken: holder.token, verifier: holder.verifier })
      if (gen < 3) await rig.refresh(holder)
    }
    const before = await rig.row(holder.sid)
    const proved = await Promise.all(pairs.map((pair) => rig.line.prove(pair)))
    expect(proved).toEqual([null, null, holder.sid, holder.sid])
    expect(await rig.line.prove({ refreshToken: holder.token, verifier: newVerifier() })).toBeNull()
    expect(await rig.row(holder.sid)).toEqual(before)
    expect(rig.reuses).toEqual([])
    await rig.store.revoke(holder.sid, "logout")
    expect(await rig.line.prove({ refreshToken: holder.token, verifier: holder.verifier })).toBe(holder.sid)
  })

  test("is not proved by a fork of the current generation, nor of the last one", async () => {
    const rig = createRig()
    const holder = await rig.login()
    const thief = { ...holder }
    // The same generation with another secret, as it would be after a fork that the store has lost.
    const forked = await createRig().line.begin({
      ...{ kid: await rig.ring.active(), sid: holder.sid, code: "other", codeVerifier: "v" },
      challenge: s256(thief.verifier),
    })
    const fork = { refreshToken: forked.refreshToken, verifier: thief.verifier }
    expect(await rig.line.prove(fork)).toBeNull()
    await rig.refresh(holder)
    expect(await rig.line.prove(fork)).toBeNull()
    expect(await rig.line.prove({ refreshToken: thief.token, verifier: thief.verifier })).toBe(holder.sid)
  })

  test("is proved by a token from the future: the store lost commits, its owner may still log out", async () => {
    const rig = createRig()
    const holder = await rig.login()
    const sent = [requestOf(holder)]
    await rig.refresh(holder)
    const lost = await rolledBack(holder, sent, 0)
    expect(await lost.line.prove({ refreshToken: holder.token, verifier: holder.verifier })).toBe(holder.sid)
    expect((await lost.row(holder.sid)).gen).toBe(0)
  })
})

describe("what it costs", () => {
  test("one store call for a refresh, two for a repeat or an alarm, none for a forgery", async () => {
    const rig = createRig()
    const holder = await rig.login()
    const calls = async (work: () => Promise<unknown>) => {
      rig.calls.length = 0
      await work()
      return [...rig.calls]
    }
    const request = requestOf(holder)
    expect(await calls(() => rig.line.refresh(request))).toEqual(["advance"])
    expect(await calls(() => rig.line.refresh(request))).toEqual(["advance"])
    const thief = { ...request, challenge: s256(newVerifier()) }
    expect(await calls(() => rig.line.refresh({ ...thief, refreshToken: `${thief.refreshToken}A` }))).toEqual(
      [],
    )
    expect(await calls(() => rig.line.refresh(thief))).toEqual(["advance", "revoke"])
    expect(await calls(() => rig.line.prove(request))).toEqual(["find"])
  })
})

test("G1: the store holds no token, secret, verifier or challenge in any spelling", async () => {
  const database = new Database(":memory:")
  const rig = createRig({ store: (clock) => sqliteStore(database, clock) })
  const holder = await rig.login()
  const secrets: string[] = []
  for (let i = 0; i < 5; i++) {
    const { refreshToken, verifier, challenge } = requestOf(holder)
    const [, , , , lock = "", secret = ""] = refreshToken.split(".")
    secrets.push(refreshToken, secret, lock, verifier, challenge)
    await rig.refresh(holder)
  }
  const tables = ["pkce_sessions", "pkce_once"].flatMap((table) =>
    database.prepare(`SELECT * FROM ${table}`).all(),
  )
  const dump = tables
    .flatMap((row) => Object.values(row as object))
    .map((value) =>
      value instanceof ArrayBuffer || value instanceof Uint8Array
        ? Buffer.from(value as ArrayBuffer)
        : Buffer.from(String(value)),
    )
  const whole = Buffer.concat(dump)
  expect(whole.includes(holder.sid)).toBe(true)
  for (const secret of secrets) {
    for (const spelling of spellingsOf(secret)) {
      expect(whole.includes(spelling)).toBe(false)
    }
  }
})
