import { describe, expect, test } from "vitest"
import * as node from "./crypto.node.js"
import * as web from "./crypto.web.js"

const bytes = (length: number, seed = 1) => Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 17) & 255)
const hex = (value: Uint8Array | null) => value && Buffer.from(value).toString("hex")
const [key, nonce, aad] = [bytes(32), bytes(12, 2), bytes(20, 3)]

describe.each([
  ["node", node],
  ["web", web],
])("the %s runtime", (_, crypto) => {
  test("SHA-256, HMAC and HKDF are those of the standards' own examples", async () => {
    const abc = new TextEncoder().encode("abc")
    expect(hex(await crypto.sha256(abc))).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    )
    // RFC 4231 case 2.
    const jefe = await crypto.hmacKey(new TextEncoder().encode("Jefe"))
    const tag = await crypto.hmac(jefe, new TextEncoder().encode("what do ya want for nothing?"))
    expect(hex(tag)).toBe("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    // RFC 5869 case 1, whose info is text in no encoding of ours: case 3 has none.
    const okm = await crypto.hkdf(new Uint8Array(22).fill(0x0b), new Uint8Array(), "", 42)
    expect(hex(okm)).toBe(
      "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    )
  })

  test("what it seals it opens, with the same key, nonce and additional data only", async () => {
    const sealed = await crypto.encrypt(key, nonce, bytes(100), aad)
    expect(sealed.length).toBe(116)
    expect(hex(await crypto.decrypt(key, nonce, sealed, aad))).toBe(hex(bytes(100)))
    const wrong = [
      [bytes(32, 9), nonce, sealed, aad],
      [key, bytes(12, 9), sealed, aad],
      [key, nonce, sealed, bytes(20, 9)],
      [key, nonce, sealed.subarray(1), aad],
    ] as const
    for (const [k, n, s, a] of wrong) expect(await crypto.decrypt(k, n, s, a)).toBeNull()
  })

  test("G2: a shortened tag never opens", async () => {
    const sealed = await crypto.encrypt(key, nonce, bytes(5), aad)
    for (let cut = 1; cut <= sealed.length; cut++) {
      expect(await crypto.decrypt(key, nonce, sealed.subarray(0, sealed.length - cut), aad)).toBeNull()
    }
  })

  test("equal compares every byte and the length", () => {
    expect(crypto.equal(bytes(32), bytes(32))).toBe(true)
    expect(crypto.equal(new Uint8Array(), new Uint8Array())).toBe(true)
    expect(crypto.equal(bytes(32), bytes(31))).toBe(false)
    for (let at = 0; at < 32; at++) {
      const other = bytes(32)
      other[at] = (other[at] ?? 0) ^ 0x80
      expect(crypto.equal(bytes(32), other)).toBe(false)
    }
  })

  test("texts are the same where every byte and the length is", () => {
    expect(crypto.sameText("abc", "abc")).toBe(true)
    for (const other of ["abd", "ab", "abcd", "", "ab\u00e4"])
      expect(crypto.sameText("abc", other)).toBe(false)
  })

  test("random bytes are as many as asked, and not the same twice", () => {
    expect(crypto.randomBytes(16).length).toBe(16)
    expect(hex(crypto.randomBytes(16))).not.toBe(hex(crypto.randomBytes(16)))
  })
})

test("both runtimes make the same bytes, and each opens what the other sealed", async () => {
  const data = bytes(1000)
  expect(hex(await web.sha256(data))).toBe(hex(node.sha256(data)))
  const text = "h\u00e4llo"
  expect(await web.digestKey(text)).toBe(node.digestKey(text))
  expect(Buffer.from(node.digestKey(text), "binary")).toEqual(node.sha256(new TextEncoder().encode(text)))
  for (const input of [text, data, "\ud800"]) {
    expect(hex(await web.sha256(input))).toBe(hex(node.sha256(input)))
    expect(await web.s256(input)).toBe(node.s256(input))
  }
  expect(node.s256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")).toBe(
    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
  )
  expect(hex(await web.hmac(await web.hmacKey(key), data))).toBe(hex(node.hmac(node.hmacKey(key), data)))
  expect(hex(await web.hmac(await web.hmacKey(key), text))).toBe(hex(node.hmac(node.hmacKey(key), text)))
  expect(hex(await web.hkdf(key, nonce, "info ü", 64))).toBe(hex(node.hkdf(key, nonce, "info ü", 64)))
  const mac = Buffer.from(node.hmac(node.hmacKey(key), new TextEncoder().encode(text)))
  expect(node.hmacText(node.hmacKey(key), text)).toBe(mac.toString("base64url"))
  expect(await web.hmacText(await web.hmacKey(key), text)).toBe(mac.toString("base64url"))
  const sealed = node.encrypt(key, nonce, data, aad)
  expect(hex(await web.encrypt(key, nonce, data, aad))).toBe(hex(sealed))
  expect(hex(await web.decrypt(key, nonce, sealed, aad))).toBe(hex(data))
})
