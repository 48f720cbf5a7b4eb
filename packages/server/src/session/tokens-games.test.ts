import { createHmac } from "node:crypto"
import { describe, expect, test } from "vitest"
import { createKeyRing } from "../vault/keyring.js"
import { config, forge, NOW, part, rig, secret, who } from "./tokens.fixture.js"

describe("F8: alg, typ and kid games", () => {
  const claims = {
    iss: config().issuer,
    aud: config().audience,
    sub: "u1",
    sid: "s1",
    iat: NOW,
    exp: NOW + 60,
    jti: "j",
  }

  test("only the exact header that we write is accepted, whoever signed it", async () => {
    const { tokens, ring } = rig()
    const kid = await ring.active()
    expect(
      await tokens.verify(await forge(ring, { alg: "HS256", typ: "at+jwt", kid }, claims)),
    ).not.toBeNull()
    const headers: object[] = [
      { alg: "none", typ: "at+jwt", kid },
      { alg: "None", typ: "at+jwt", kid },
      { typ: "at+jwt", kid },
      { alg: ["HS256"], typ: "at+jwt", kid },
      { alg: "hs256", typ: "at+jwt", kid },
      { alg: "HS512", typ: "at+jwt", kid },
      { alg: "EdDSA", typ: "at+jwt", kid },
      { alg: "HS256", typ: "JWT", kid },
      { alg: "HS256", typ: "logout+jwt", kid },
      { alg: "HS256", kid },
      { alg: "HS256", typ: "at+jwt" },
      { alg: "HS256", typ: "at+jwt", kid: "AAAAAAAA" },
      { alg: "HS256", typ: "at+jwt", kid: "__proto__" },
      { alg: "HS256", typ: "at+jwt", kid, crit: ["b64"], b64: false },
      { alg: "HS256", typ: "at+jwt", kid, jku: "https://evil.example/jwks" },
      { alg: "HS256", typ: "at+jwt", kid, jwk: { kty: "oct", k: "AA" } },
      { kid, typ: "at+jwt", alg: "HS256" },
    ]
    for (const header of headers) expect(await tokens.verify(await forge(ring, header, claims))).toBeNull()
    const [, payload] = (await forge(ring, {}, claims)).split(".")
    expect(await tokens.verify(`${part({ alg: "none", typ: "at+jwt", kid })}.${payload}.`)).toBeNull()
  })

  test("a public key is no HMAC secret, and an algorithm that is not configured is none of ours", async () => {
    const ring = createKeyRing([secret("a")], [])
    const [hs, ed] = [rig({}, ring).tokens, rig({ algorithm: "EdDSA" }, ring).tokens]
    expect(await hs.verify((await ed.sign(who)).token)).toBeNull()
    expect(await ed.verify((await hs.sign(who)).token)).toBeNull()
    const [key] = (await ed.jwks()).keys
    const input = `${part({ alg: "HS256", typ: "at+jwt", kid: key?.kid })}.${part(claims)}`
    for (const raw of [JSON.stringify(key), String(key?.x), Buffer.from(String(key?.x), "base64url")]) {
      const signed = `${input}.${createHmac("sha256", raw).update(input).digest("base64url")}`
      expect(await ed.verify(signed)).toBeNull()
      expect(await hs.verify(signed)).toBeNull()
    }
  })

  test("E17: claims of another kind, issuer or audience, though signed by our own key, are no session", async () => {
    const { tokens, ring } = rig()
    const header = { alg: "HS256", typ: "at+jwt", kid: await ring.active() }
    const wrong: unknown[] = [
      { ...claims, iss: "https://api.example/auth/" },
      { ...claims, iss: undefined },
      { ...claims, aud: [claims.aud] },
      { ...claims, aud: "https://other.example" },
      { ...claims, aud: undefined },
      { ...claims, sub: 7 },
      { ...claims, sub: undefined },
      { ...claims, sid: undefined },
      { ...claims, jti: undefined },
      { ...claims, iat: "1" },
      { ...claims, exp: undefined },
      { ...claims, exp: String(NOW + 60) },
      { ...claims, exp: NOW },
      { ...claims, exp: null },
      null,
      [],
      "text",
      7,
      Buffer.from([0xff, 0xfe]).toString("base64url"),
      Buffer.from("{").toString("base64url"),
    ]
    for (const other of wrong) expect(await tokens.verify(await forge(ring, header, other))).toBeNull()
  })

  test("E17: a value made by the ring for another purpose is no session token", async () => {
    const { tokens, ring } = rig()
    const input = `${part({ alg: "HS256", typ: "at+jwt", kid: await ring.active() })}.${part(claims)}`
    for (const purpose of ["refresh-mac", "exchange", "ticket", "refresh-derive", "fingerprint"] as const) {
      const key = await ring.bytes(await ring.active(), purpose)
      const signature = createHmac("sha256", key).update(input).digest("base64url")
      expect(await tokens.verify(`${input}.${signature}`)).toBeNull()
    }
  })

  test("verify is total: whatever the input, null and no exception", async () => {
    const { tokens } = rig()
    const { token } = await tokens.sign(who)
    const inputs = [
      "",
      ".",
      "..",
      "...",
      "a.b.c",
      `${token}.`,
      `.${token}`,
      ` ${token}`,
      `${token}=`,
      `${token}\n`,
    ]
    const odd = ["x".repeat(1_048_576), `${"A".repeat(1e6)}.a.a`, "\ud800.\ud800.\ud800", "Bearer a.b.c"]
    const foreign = [
      undefined,
      null,
      7,
      {},
      [],
      [token],
      { toString: () => token },
      Symbol("x"),
    ] as unknown as string[]
    for (const input of [...inputs, ...odd, ...foreign]) expect(await tokens.verify(input)).toBeNull()
  })
})
