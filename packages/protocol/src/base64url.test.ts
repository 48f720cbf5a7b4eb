import { describe, expect, it } from "vitest"
import { fromBase64url, toBase64url } from "./base64url.js"

describe("base64url", () => {
  it("agrees with Node for every length up to 100 bytes, both ways", () => {
    for (let length = 0; length <= 100; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length * 11) % 256)
      const text = Buffer.from(bytes).toString("base64url")
      expect(toBase64url(bytes)).toBe(text)
      expect(fromBase64url(text)).toEqual(bytes)
    }
  })

  it("encodes RFC 7636 Appendix A", () => {
    expect(toBase64url(Uint8Array.of(3, 236, 255, 224, 193))).toBe("A-z_4ME")
  })

  it("takes the 64 characters of its alphabet and no other", () => {
    for (let code = 0; code < 300; code++) {
      const character = String.fromCharCode(code)
      expect([code, fromBase64url(`A${character}AA`) !== null]).toEqual([code, /[\w-]/.test(character)])
    }
  })

  it.each([
    ["padding", "AA=="],
    ["standard alphabet", "+/+/"],
    ["an impossible length", "AAAAA"],
    ["unused bits that are not zero", "AB"],
    ["unused bits after two bytes", "AAB"],
    ["white space", "AA A"],
    ["a character beyond ASCII", "AAÄA"],
  ])("refuses %s", (_, text) => {
    expect(fromBase64url(text)).toBeNull()
  })
})
