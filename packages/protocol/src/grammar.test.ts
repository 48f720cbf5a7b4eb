import { createHash } from "node:crypto"
import { describe, expect, it } from "vitest"
import { isChallenge, isIdentifier, isVerifier } from "./grammar.js"

const s256 = (text: string) => createHash("sha256").update(text).digest("base64url")

describe("A3: the grammar of a verifier (RFC 7636 section 4.1)", () => {
  it.each([
    [42, false],
    [43, true],
    [128, true],
    [129, false],
  ])("%i characters: %s", (length, accepted) => {
    expect(isVerifier("a".repeat(length))).toBe(accepted)
  })

  it.each(["+", "/", "=", "\0", " ", "\n", "ä", "%"])("refuses %j", (character) => {
    expect(isVerifier("a".repeat(43) + character)).toBe(false)
    expect(isVerifier(`${character}${"a".repeat(43)}`)).toBe(false)
  })

  it("takes every unreserved character", () => {
    expect(isVerifier(`${"-._~".repeat(11)}Az09`)).toBe(true)
  })
})

describe("challenge", () => {
  it("takes every S256 value", () => {
    for (let i = 0; i < 1000; i++) expect(isChallenge(s256(`verifier ${i}`))).toBe(true)
  })

  it("refuses what 32 bytes cannot encode to", () => {
    const challenge = s256("x")
    expect(isChallenge(challenge.slice(1))).toBe(false)
    expect(isChallenge(`${challenge}A`)).toBe(false)
    expect(isChallenge(`${challenge}=`)).toBe(false)
    expect(isChallenge(`${challenge.slice(0, 42)}B`)).toBe(false)
    expect(isChallenge(`${challenge}\n`)).toBe(false)
  })
})

describe("identifier", () => {
  it("is 22 characters of base64url", () => {
    expect(isIdentifier("A".repeat(22))).toBe(true)
    expect(isIdentifier("A".repeat(21))).toBe(false)
    expect(isIdentifier(`${"A".repeat(21)}:`)).toBe(false)
    expect(isIdentifier(`${"A".repeat(21)}*`)).toBe(false)
  })
})
