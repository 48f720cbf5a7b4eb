import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { isChallenge, isVerifier } from "@pkce/protocol"
import { afterEach, describe, expect, it, vi } from "vitest"
import { randomText, webCrypto } from "./crypto.js"
import { createPkcePair } from "./pair.js"

afterEach(() => vi.unstubAllGlobals())

describe("createPkcePair", () => {
  it("makes the challenge of RFC 7636 Appendix B", async () => {
    const octets = Buffer.from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "base64url")
    const pair = await createPkcePair({
      randomBytes: () => octets,
      sha256: (data) => createHash("sha256").update(data).digest(),
    })
    expect(pair).toEqual({
      verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
      challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
      method: "S256",
    })
  })

  it("A3 draws verifiers of the grammar, each another", async () => {
    const pairs = await Promise.all(Array.from({ length: 50 }, () => createPkcePair()))
    for (const { verifier, challenge } of pairs) {
      expect(isVerifier(verifier) && verifier.length === 43).toBe(true)
      expect(isChallenge(challenge)).toBe(true)
      expect(challenge).toBe(createHash("sha256").update(verifier).digest("base64url"))
    }
    expect(new Set(pairs.map(({ verifier }) => verifier)).size).toBe(50)
  })

  it.each([
    ["no crypto", undefined],
    ["no random values", { subtle: crypto.subtle }],
    ["no SHA-256", { getRandomValues: () => new Uint8Array(32) }],
  ])("A1 refuses with %s", async (_, engine) => {
    vi.stubGlobal("crypto", engine)
    await expect(createPkcePair()).rejects.toMatchObject({ code: "crypto_unavailable", phase: "start" })
  })

  it("A1 draws nothing without SHA-256, so that no window opens in vain", () => {
    vi.stubGlobal("crypto", { getRandomValues: () => new Uint8Array(32) })
    expect(() => randomText(webCrypto)).toThrow(expect.objectContaining({ code: "crypto_unavailable" }))
  })

  it("A1 refuses a source that gives too little", async () => {
    const port = { randomBytes: () => new Uint8Array(16), sha256: (data: Uint8Array) => data }
    await expect(createPkcePair(port)).rejects.toMatchObject({ code: "crypto_unavailable" })
  })
})

it("A1, A2 there is no weak random source and no plain method anywhere in the source", () => {
  const root = join(import.meta.dirname, "..")
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter(
    (name) => name.endsWith(".ts") && !name.endsWith(".test.ts"),
  )
  expect(files.length).toBeGreaterThan(20)
  for (const file of files) {
    const text = readFileSync(join(root, file), "utf8")
    expect(text, file).not.toMatch(/Math\s*\.\s*random|Math\[|["']plain["']|localStorage\s*[.[]/)
  }
})
