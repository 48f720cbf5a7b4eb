import { createHash, randomBytes } from "node:crypto"
import { expect, it } from "vitest"
import { sha256 } from "../../src/platforms/sha256.js"

it("our SHA-256 agrees with Node's for every length up to 300 bytes, and with FIPS 180-4", () => {
  for (let length = 0; length <= 300; length++) {
    const data = randomBytes(length)
    expect(Buffer.from(sha256(data)).toString("hex")).toBe(createHash("sha256").update(data).digest("hex"))
  }
  const vectors = [
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    [
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ],
  ] as const
  for (const [text, digest] of vectors)
    expect(Buffer.from(sha256(Buffer.from(text))).toString("hex")).toBe(digest)
})
