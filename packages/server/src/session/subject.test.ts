import { createHash } from "node:crypto"
import { expect, test } from "vitest"
import { subjectOf } from "./subject.js"

test("is base64url SHA-256 over the length-prefixed issuer and subject", async () => {
  const [issuer, subject] = ["https://i.example/", "auth0|ü"]
  const bytes = [issuer, subject].flatMap((field) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(Buffer.byteLength(field))
    return [length, Buffer.from(field)]
  })
  const wanted = createHash("sha256").update(Buffer.concat(bytes)).digest("base64url")
  expect(await subjectOf(issuer, subject)).toBe(wanted)
})

test("E14: no two pairs meet, however their texts are cut", async () => {
  const pairs = [
    ["ab", "c"],
    ["a", "bc"],
    ["abc", ""],
    ["", "abc"],
    ["A", "bc"],
  ] as const
  const subjects = await Promise.all(pairs.map(([issuer, subject]) => subjectOf(issuer, subject)))
  expect(new Set(subjects).size).toBe(pairs.length)
})
