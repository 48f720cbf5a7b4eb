import { expect, test } from "vitest"
import { hmac } from "#crypto"
import { fingerprint } from "./fingerprint.js"
import { createKeyRing } from "./keyring.js"
import type { KeyPurpose } from "./types.js"

const secret = (name: string) => `${name}-0123456789-abcdefghijklmnopqrstuvwxyz`
const entry = (name: string, signFrom = 0) => ({ secret: secret(name), signFrom })
const PURPOSES: KeyPurpose[] = [
  "refresh-mac",
  "refresh-derive",
  "exchange",
  "session-hs256",
  "session-ed25519",
  "seal",
  "ticket",
  "fingerprint",
]

test("key ids are 8 characters, stable, and different for different secrets", async () => {
  const [kids, again] = [
    [entry("a"), entry("b")],
    [entry("b"), entry("a")],
  ].map((s) => createKeyRing(s, []).kids())
  expect(await again).toEqual([...((await kids) ?? [])].reverse())
  expect(new Set(await kids).size).toBe(2)
  for (const kid of (await kids) ?? []) expect(kid).toMatch(/^[\w-]{8}$/)
})

test("F10: the newest secret whose time has come signs; a later one verifies already", async () => {
  let now = 100
  const ring = createKeyRing([entry("new", 200), entry("old")], [], () => now)
  const [newest, oldest] = await ring.kids()
  expect(await ring.active()).toBe(oldest)
  expect(await ring.state(newest ?? "")).toBe("known")
  now = 200
  expect(await ring.active()).toBe(newest)
  expect(await ring.active(199)).toBe(oldest)
})

test("where no time has come yet the oldest signs", async () => {
  const ring = createKeyRing([entry("new", 300), entry("old", 200)], [], () => 100)
  expect(await ring.active()).toBe((await ring.kids())[1])
})

test("F10: an id is known, retired or unknown; only a known one has keys", async () => {
  const [dead = ""] = await createKeyRing([entry("dead")], []).kids()
  const ring = createKeyRing([entry("dead"), entry("alive")], [dead])
  const [alive = ""] = await ring.kids()
  expect(await Promise.all([alive, dead, "AAAAAAAA"].map((kid) => ring.state(kid)))).toEqual([
    "known",
    "retired",
    "unknown",
  ])
  expect(await ring.active()).toBe(alive)
  for (const kid of [dead, "AAAAAAAA"]) {
    expect(() => ring.bytes(kid, "seal")).toThrow("unavailable")
    expect(() => ring.hmac(kid, "ticket")).toThrow("unavailable")
  }
})

test("G7, E17: each purpose has a key of its own, and none of them is the secret or its id", async () => {
  const ring = createKeyRing([entry("a"), entry("b")], [])
  const keys: string[] = []
  for (const kid of await ring.kids()) {
    for (const purpose of PURPOSES)
      keys.push(Buffer.from(await ring.bytes(kid, purpose)).toString("base64url"))
    keys.push(kid)
  }
  expect(new Set(keys).size).toBe(2 * (PURPOSES.length + 1))
  const kid = await ring.active()
  expect(keys.some((key) => key !== kid && key.startsWith(kid.slice(0, 4)))).toBe(false)
})

test("keys are derived once and then there without a promise", async () => {
  const ring = createKeyRing([entry("a")], [])
  const kid = await ring.active()
  const key = ring.hmac(kid, "refresh-mac")
  expect(key).not.toBeInstanceOf(Promise)
  expect(ring.hmac(kid, "refresh-mac")).toBe(key)
  expect(ring.bytes(kid, "refresh-mac")).toBe(ring.bytes(kid, "refresh-mac"))
})

test("a fingerprint is 16 digits of a keyed hash: the same value matches, another ring's does not", async () => {
  const ring = createKeyRing([entry("a")], [])
  const whole = await hmac(
    await ring.hmac(await ring.active(), "fingerprint"),
    new TextEncoder().encode("a code"),
  )
  expect(await fingerprint(ring, "a code")).toBe(Buffer.from(whole).toString("hex").slice(0, 16))
  expect(await fingerprint(ring, "b code")).not.toBe(await fingerprint(ring, "a code"))
  expect(await fingerprint(createKeyRing([entry("b")], []), "a code")).not.toBe(
    await fingerprint(ring, "a code"),
  )
})
