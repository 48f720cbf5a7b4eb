import { createHash, hkdfSync } from "node:crypto"
import { describe, expect, test } from "vitest"
import { decrypt } from "#crypto"
import { createKeyRing } from "./keyring.js"
import { createVault } from "./seal.js"
import type { SealContext } from "./types.js"

const secret = (name: string) => `${name}-0123456789-abcdefghijklmnopqrstuvwxyz`
const ring = createKeyRing([{ secret: secret("a"), signFrom: 0 }], [])
const vault = createVault(ring)
const context: SealContext = {
  purpose: "idp-tokens",
  issuer: "https://i.example/",
  subject: "u1",
  sid: "s1",
  rev: 3,
}
// 44 bytes as JSON.
const value = { access_token: "at", nested: [1, null, "ü"] }
const unreadable = { code: "provider_grant_unreadable", name: "PkceError" }

test("what was sealed opens in its own context", async () => {
  expect(await vault.open(await vault.seal(value, context), context)).toEqual(value)
})

test("the bytes are those of the documented format", async () => {
  const sealed = Buffer.from(await vault.seal(value, context))
  const kid = await ring.active()
  expect([sealed[0], sealed[1], sealed.toString("latin1", 2, 10)]).toEqual([1, 8, kid])
  const [salt, commitment, nonce] = [
    sealed.subarray(10, 26),
    sealed.subarray(26, 42),
    sealed.subarray(42, 54),
  ]
  const info = "pkce/v1/seal/idp-tokens"
  const okm = Buffer.from(hkdfSync("sha256", await ring.bytes(kid, "seal"), salt, info, 64))
  expect(commitment).toEqual(okm.subarray(32, 48))
  const hashed = createHash("sha256").update("u1").digest()
  const aad = ["pkce", "1", kid, "idp-tokens", "", "https://i.example/", hashed, "s1", "3"].map((field) => {
    const bytes = Buffer.from(field as string)
    return Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes])
  })
  const plain = await decrypt(okm.subarray(0, 32), nonce, sealed.subarray(54), Buffer.concat(aad))
  expect(Buffer.from(plain ?? []).toString()).toBe(`${JSON.stringify(value)}${" ".repeat(256 - 44)}`)
})

test("the length says nothing finer than 256 bytes", async () => {
  const lengths = await Promise.all(
    [1, 100, 200, 240, 300].map(async (n) => (await vault.seal("x".repeat(n), context)).length),
  )
  const [first = 0] = lengths
  expect(lengths).toEqual([first, first, first, first, first + 256])
})

test("G5: each seal has a salt and a nonce of its own", async () => {
  const [salts, nonces] = [new Set<string>(), new Set<string>()]
  for (let i = 0; i < 10_000; i++) {
    const sealed = Buffer.from(await vault.seal(value, context))
    salts.add(sealed.toString("latin1", 10, 26))
    nonces.add(sealed.toString("latin1", 42, 54))
  }
  expect([salts.size, nonces.size]).toEqual([10_000, 10_000])
})

describe("G2", () => {
  test("a change of any byte is refused, by one and the same error", async () => {
    const sealed = await vault.seal(value, context)
    for (let at = 0; at < sealed.length; at++) {
      const changed = new Uint8Array(sealed)
      changed[at] = (changed[at] ?? 0) ^ 1
      // A changed key id names a key that is not there, which is another matter (G6).
      const expected = at >= 2 && at < 10 ? { code: "unavailable" } : unreadable
      await expect(vault.open(changed, context)).rejects.toMatchObject(expected)
    }
  })

  test("a cut at any length is refused, and a shortened tag above all", async () => {
    const sealed = await vault.seal(value, context)
    for (let length = 0; length < sealed.length; length++) {
      await expect(vault.open(sealed.subarray(0, length), context)).rejects.toMatchObject(unreadable)
    }
  })
})

test("G3, G4: a value opens in no other row, user, issuer, revision or purpose", async () => {
  const sealed = await vault.seal(value, context)
  const others: Partial<SealContext>[] = [
    { purpose: "profile" },
    { purpose: "ticket" },
    { issuer: "https://i.example" },
    { subject: "u2" },
    { sid: "s2" },
    { rev: 2 },
    { issuer: "https://i.example/u", subject: "1" },
  ]
  for (const other of others) {
    await expect(vault.open(sealed, { ...context, ...other })).rejects.toMatchObject(unreadable)
  }
})

test("the commitment is compared: a ciphertext under another key's commitment is refused before it is decrypted", async () => {
  const [one, two] = [await vault.seal(value, context), await vault.seal(value, context)]
  const mixed = new Uint8Array(one)
  mixed.set(two.subarray(26, 42), 26)
  await expect(vault.open(mixed, context)).rejects.toMatchObject(unreadable)
})

test("G6: a key that is missing is our outage; one that is retired makes the value unreadable", async () => {
  const sealed = await vault.seal(value, context)
  const other = { secret: secret("b"), signFrom: 0 }
  const missing = createVault(createKeyRing([other], []))
  await expect(missing.open(sealed, context)).rejects.toMatchObject({
    code: "unavailable",
    reason: "keyring_missing",
  })
  const retired = createVault(createKeyRing([other], [await ring.active()]))
  await expect(retired.open(sealed, context)).rejects.toMatchObject({ ...unreadable, reason: "key_retired" })
})

test("F10: what an older secret sealed opens while it is in the ring", async () => {
  const sealed = await vault.seal(value, context)
  const rotated = createKeyRing(
    [
      { secret: secret("b"), signFrom: 0 },
      { secret: secret("a"), signFrom: 0 },
    ],
    [],
  )
  expect(await createVault(rotated).open(sealed, context)).toEqual(value)
})
