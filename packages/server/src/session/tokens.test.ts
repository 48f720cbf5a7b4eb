import { decodeProtectedHeader, importJWK, jwtVerify } from "jose"
import { afterEach, describe, expect, test, vi } from "vitest"
import { createKeyRing } from "../vault/keyring.js"
import { claimsOf, config, es256Key, NOW, rig, secret, who } from "./tokens.fixture.js"
import type { Session } from "./types.js"

afterEach(() => vi.restoreAllMocks())

describe.each(["HS256", "EdDSA", "ES256"] as const)("%s", (algorithm) => {
  test("a token that was signed is a session", async () => {
    const { tokens } = rig({ algorithm })
    const { token, expiresIn } = await tokens.sign(who)
    expect(decodeProtectedHeader(token)).toEqual({ alg: algorithm, typ: "at+jwt", kid: expect.any(String) })
    expect(claimsOf(token)).toEqual({
      iss: "https://api.example/auth",
      aud: "https://api.example",
      sub: "u1",
      sid: who.sid,
      email: "ada@example.com",
      iat: NOW,
      exp: NOW + expiresIn,
      jti: expect.stringMatching(/^[\w-]{22}$/),
    })
    const session: Session = {
      id: who.sid,
      user: { sub: "u1", email: "ada@example.com" },
      expiresAt: NOW + expiresIn,
    }
    expect(await tokens.verify(token)).toEqual(session)
    expect(await tokens.verify(token)).toEqual(session)
  })

  test("F8: any other character anywhere in the token is refused", async () => {
    const { tokens } = rig({ algorithm })
    const { token } = await tokens.sign(who)
    for (let at = 0; at < token.length; at++) {
      const other = token[at] === "A" ? "B" : "A"
      expect(await tokens.verify(token.slice(0, at) + other + token.slice(at + 1))).toBeNull()
    }
    expect(await tokens.verify(token)).not.toBeNull()
  })

  test("F8: another spelling of the same signature is refused", async () => {
    const { tokens } = rig({ algorithm })
    const { token } = await tokens.sign(who)
    const signature = token.slice(token.lastIndexOf(".") + 1)
    const bytes = Buffer.from(signature, "base64url")
    // The last character bears bits that say nothing.
    const letters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]
    const others = letters
      .map((letter) => signature.slice(0, -1) + letter)
      .filter((text) => text !== signature && bytes.equals(Buffer.from(text, "base64url")))
    expect(others.length).toBeGreaterThan(0)
    for (const other of [...others, `${signature}=`, `${signature}\u00e4`, `${signature}\ud800`])
      expect(await tokens.verify(token.slice(0, -signature.length) + other)).toBeNull()
    expect(await tokens.verify(token)).not.toBeNull()
  })

  test("exp is strict, and has no leeway", async () => {
    const { tokens, clock } = rig({ algorithm })
    const { token, expiresIn } = await tokens.sign(who)
    for (const fresh of [true, false]) {
      const verifier = fresh ? rig({ algorithm }) : { tokens, clock }
      verifier.clock.now = NOW + expiresIn - 1
      expect(await verifier.tokens.verify(token)).not.toBeNull()
      verifier.clock.now = NOW + expiresIn
      expect(await verifier.tokens.verify(token)).toBeNull()
    }
  })

  test("F11: a session that this process forgot is refused, seen before or not", async () => {
    const { tokens, ring } = rig({ algorithm })
    const [seen, unseen] = [await tokens.sign(who), await tokens.sign(who)]
    const other = await tokens.sign({ ...who, sid: "o".repeat(22) })
    await tokens.verify(seen.token)
    tokens.forget(who.sid)
    expect(await tokens.verify(seen.token)).toBeNull()
    expect(await tokens.verify(unseen.token)).toBeNull()
    expect(await tokens.verify(other.token)).not.toBeNull()
    expect(await rig({ algorithm }, ring).tokens.verify(seen.token)).not.toBeNull()
  })

  test("a token that was seen before costs no signature check", async () => {
    const ring = createKeyRing([secret("a")], [])
    const hmac = vi.spyOn(ring, "hmac")
    const asymmetric = vi.spyOn(globalThis.crypto.subtle, "verify")
    const { tokens } = rig({ algorithm }, ring)
    const { token } = await tokens.sign(who)
    const checks = () => hmac.mock.calls.length + asymmetric.mock.calls.length
    const before = checks()
    expect(await tokens.verify(token)).not.toBeNull()
    expect(checks()).toBe(before + 1)
    expect(await tokens.verify(token)).not.toBeNull()
    expect(checks()).toBe(before + 1)
    const at = token.lastIndexOf(".") + 1
    const forged = `${token.slice(0, at)}${token[at] === "A" ? "B" : "A"}${token.slice(at + 1)}`
    expect(await tokens.verify(forged)).toBeNull()
    expect(await tokens.verify(forged)).toBeNull()
    expect(checks()).toBe(before + 3)
  })

  test("a forgery that is refused makes no error and so no stack trace", async () => {
    const { tokens } = rig({ algorithm })
    const { token } = await tokens.sign(who)
    await tokens.verify(token)
    const signature = Buffer.alloc(algorithm === "HS256" ? 32 : 64, 7).toString("base64url")
    const forged = `${token.slice(0, token.lastIndexOf("."))}.${signature}`
    let traces = 0
    const prepare = Error.prepareStackTrace
    Error.prepareStackTrace = (error) => {
      traces++
      return String(error)
    }
    try {
      expect(await tokens.verify(forged)).toBeNull()
      expect(traces).toBe(0)
      expect(new Error("control").stack).toContain("control")
      expect(traces).toBe(1)
    } finally {
      Error.prepareStackTrace = prepare
    }
  })
})

describe("what the token says", () => {
  test("claims of the team never replace the protocol's", async () => {
    const { tokens } = rig()
    const claims = { iss: "x", aud: "x", sub: "x", sid: "x", iat: 1, exp: 9e9, jti: "x", role: "admin" }
    const { token, expiresIn } = await tokens.sign({ ...who, claims })
    expect(await tokens.verify(token)).toEqual({
      id: who.sid,
      user: { sub: "u1", role: "admin" },
      expiresAt: NOW + expiresIn,
    })
  })

  test("R21: the lifetime is jittered downwards by at most 15 %, and never reaches beyond the session", async () => {
    const { tokens } = rig()
    const lifetimes = await Promise.all(
      Array.from({ length: 300 }, async () => (await tokens.sign(who)).expiresIn),
    )
    expect(Math.min(...lifetimes)).toBeGreaterThanOrEqual(255)
    expect(Math.max(...lifetimes)).toBeLessThanOrEqual(300)
    expect(new Set(lifetimes).size).toBeGreaterThan(20)
    expect((await tokens.sign({ ...who, notAfter: NOW + 40 })).expiresIn).toBe(40)
    expect((await tokens.sign({ ...who, notAfter: NOW - 40 })).expiresIn).toBe(0)
  })

  test("two tokens of one second differ", async () => {
    const { tokens } = rig()
    const ids = await Promise.all(
      Array.from({ length: 50 }, async () => claimsOf((await tokens.sign(who)).token).jti),
    )
    expect(new Set(ids).size).toBe(50)
  })

  test("a request cannot change what the next one with the same token sees", async () => {
    const { tokens } = rig()
    const { token } = await tokens.sign({ ...who, claims: { roles: ["reader"] } })
    const session = await tokens.verify(token)
    const user = session?.user as { sub: string; roles: string[] }
    expect(() => user.roles.push("admin")).toThrow(TypeError)
    expect(() => Object.assign(user, { sub: "u2" })).toThrow(TypeError)
    expect((await tokens.verify(token))?.user).toEqual({ sub: "u1", roles: ["reader"] })
  })

  test("a token that no server would take in a header is refused where it is made", async () => {
    const { tokens } = rig()
    const claims = { blob: "x".repeat(8192) }
    await expect(tokens.sign({ ...who, claims })).rejects.toMatchObject({ reason: "session_token_too_large" })
  })
})

describe("F10: keys", () => {
  test.each(["HS256", "EdDSA"] as const)(
    "%s: an older secret verifies while it is in the ring",
    async (algorithm) => {
      const old = rig({ algorithm }, createKeyRing([secret("a")], [])).tokens
      const { token } = await old.sign(who)
      const both = rig({ algorithm }, createKeyRing([secret("b"), secret("a")], [])).tokens
      expect(await both.verify(token)).not.toBeNull()
      expect(await old.verify((await both.sign(who)).token)).toBeNull()
      expect(await rig({ algorithm }, createKeyRing([secret("b")], [])).tokens.verify(token)).toBeNull()
    },
  )

  test("the key set lists every public key, before it signs too, and no private one", async () => {
    const ring = createKeyRing([{ ...secret("b"), signFrom: NOW + 100 }, secret("a")], [])
    const { tokens } = rig({ algorithm: "EdDSA" }, ring)
    const { keys } = await tokens.jwks()
    const kids = await ring.kids()
    expect(keys).toEqual(
      kids.map((kid) => ({
        kty: "OKP",
        crv: "Ed25519",
        x: expect.stringMatching(/^[\w-]{43}$/),
        kid,
        alg: "EdDSA",
        use: "sig",
      })),
    )
    expect(await rig().tokens.jwks()).toEqual({ keys: [] })
    const [given] = (await rig({ algorithm: "ES256" }).tokens.jwks()).keys
    expect(Object.keys(given ?? {}).sort()).toEqual(["alg", "crv", "kid", "kty", "use", "x", "y"])
  })

  test.each(["EdDSA", "ES256"] as const)(
    "%s: another service verifies a token by the key set alone",
    async (algorithm) => {
      const { tokens } = rig({ algorithm })
      const { token } = await tokens.sign(who)
      const { keys } = await tokens.jwks()
      const jwk = keys.find(({ kid }) => kid === decodeProtectedHeader(token).kid) ?? {}
      const { payload } = await jwtVerify(token, await importJWK(jwk, algorithm), {
        algorithms: [algorithm],
        issuer: config().issuer,
        audience: config().audience,
        typ: "at+jwt",
        currentDate: new Date(NOW * 1000),
      })
      expect(payload.sub).toBe("u1")
    },
  )

  test("an ES256 key that names itself keeps its name", async () => {
    const { tokens } = rig({ algorithm: "ES256", privateKey: { ...es256Key, kid: "team-2026" } })
    expect(decodeProtectedHeader((await tokens.sign(who)).token).kid).toBe("team-2026")
    expect((await tokens.jwks()).keys[0]?.kid).toBe("team-2026")
  })
})
