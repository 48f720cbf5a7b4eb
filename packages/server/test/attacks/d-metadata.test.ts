import { generateKeyPairSync } from "node:crypto"
import { afterEach, describe, expect, it } from "vitest"
import type { EndpointFault } from "../../src/testing/index.js"
import {
  failureOf,
  openRoom,
  providerEntry,
  type Room,
  type RoomOptions,
  redemptionOf,
} from "../support/provider-room.js"

let room: Room

afterEach(() => room.close())

async function open(options: RoomOptions = {}): Promise<Room> {
  room = await openRoom(options)
  return room
}

const types = ({ events }: Room) => events.map(({ type }) => type)
const jwk = (bits = 2048) =>
  generateKeyPairSync("rsa", { modulusLength: bits }).publicKey.export({ format: "jwk" })

describe("D1 the issuer of the metadata", () => {
  it.each([
    ["another host", (issuer: string) => issuer.replace("127.0.0.1", "localhost")],
    ["a trailing slash", (issuer: string) => `${issuer}/`],
    ["another case", (issuer: string) => issuer.replace("http", "HTTP")],
    ["another port", (issuer: string) => issuer.replace(/\d+$/, "1")],
    ["none at all", () => undefined],
    ["a list", (issuer: string) => [issuer]],
  ])("D1 refuses %s (oidcc-client-test-discovery-issuer-mismatch)", async (_, edit) => {
    const { idp, provider } = await open()
    idp.faults.discovery = { json: (body) => ({ ...body, issuer: edit(String(body.issuer)) }) }
    const mismatch = { code: "idp_misconfigured", reason: "issuer_mismatch", spent: false }
    expect(await failureOf(provider.config())).toEqual(mismatch)
    expect(await failureOf(provider.redeem(redemptionOf(idp.finishLogin())))).toEqual(mismatch)
    expect(await failureOf(provider.checkCallbackIssuer(idp.issuer))).toEqual(mismatch)
    expect(idp.calls).toMatchObject({ authorize: 0, jwks: 0, token: 0 })
    expect(idp.calls.discovery).toBe(1)
    expect(types(room)).toEqual(["idp.metadata.issuer_mismatch"])
  })

  it.each(["", "/", "/realms/main", "/oauth2/default/"])(
    "D1 finds the metadata of an issuer ending in %j",
    async (issuerPath) => {
      const { idp, provider } = await open({ idp: { issuerPath } })
      const config = await provider.config()
      expect(config.issuer).toBe(idp.issuer)
      expect(config.authorization_endpoint).toBe(`${idp.issuer.replace(/\/$/, "")}/authorize`)
      expect((await room.redeem()).issuer).toBe(idp.issuer)
    },
  )
})

describe("A2 a provider that does not speak of PKCE", () => {
  it.each([
    ["nothing", undefined, true],
    ["plain alone", ["plain"], true],
    ["S256", ["plain", "S256"], false],
  ])("A2 is reported where its metadata lists %s, and gets the code_verifier", async (_, methods, told) => {
    const { idp, redeem } = await open({ idp: { metadata: { code_challenge_methods_supported: methods } } })
    await redeem()
    expect(types(room).includes("idp.metadata.pkce_not_advertised")).toBe(told)
    const [sent] = idp.requests.filter(({ endpoint }) => endpoint === "token")
    expect(new URLSearchParams(sent?.body).get("code_verifier")).toMatch(/^[\w.~-]{43,128}$/)
  })
})

describe("D2 redirects and plain http", () => {
  it.each(["discovery", "jwks", "token"] as const)("D2 follows no redirect of %s", async (endpoint) => {
    const { idp, redeem } = await open()
    idp.faults[endpoint] = { status: 307, headers: { location: `${idp.issuer}/userinfo` } }
    const failure = await failureOf(redeem())
    expect(failure).toEqual({ code: "idp_bad_response", reason: "redirected", spent: endpoint === "token" })
    expect(idp.calls.userinfo).toBe(0)
  })

  it.each([
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "userinfo_endpoint",
    "end_session_endpoint",
  ])("D2 A8 refuses a %s that is not https", async (name) => {
    const { idp, provider } = await open()
    for (const url of [
      "http://idp.example/x",
      "ftp://idp.example/x",
      "https://user:pw@idp.example/x",
      "/x",
      7,
    ]) {
      idp.faults.discovery = { json: (body) => ({ ...body, [name]: url }) }
      expect(await failureOf(provider.config())).toMatchObject({
        code: "idp_misconfigured",
        reason: "endpoint_refused",
      })
    }
  })

  it("D2 A8 takes plain http to this machine only where it was allowed", async () => {
    const { provider } = await open({ config: { allowLoopbackHttp: false } })
    expect(await failureOf(provider.config())).toMatchObject({
      code: "idp_misconfigured",
      reason: "blocked_address",
    })
  })
})

describe("D3 addresses", () => {
  it.each(["https://169.254.169.254/token", "https://10.1.2.3/token", "https://[::ffff:10.1.2.3]/token"])(
    "D3 sends no code to %s",
    async (token_endpoint) => {
      const { redeem } = await open({ idp: { metadata: { token_endpoint } } })
      expect(await failureOf(redeem())).toEqual({
        code: "idp_misconfigured",
        reason: "blocked_address",
        spent: false,
      })
    },
  )

  it("D3 sends secrets to the hosts of the list and the issuer's only", async () => {
    const { provider, idp } = await open({
      idp: { metadata: { token_endpoint: "https://tokens.example/token" } },
      entry: { allowedEndpointHosts: ["oauth2.example"] },
    })
    expect(await failureOf(provider.config())).toMatchObject({ reason: "endpoint_refused" })
    idp.faults.discovery = { json: (body) => ({ ...body, token_endpoint: "https://oauth2.example/token" }) }
    room.advance(2)
    expect((await provider.config()).issuer).toBe(idp.issuer)
  })
})

describe("D4 metadata that changes", () => {
  /** Renewal happens behind an answer; that a second one has begun shows that the first is over. */
  const reload = async ({ provider, idp, advance }: Room) => {
    const { discovery } = idp.calls
    const calls = async () => {
      advance(4_000)
      await provider.config()
      return idp.calls.discovery
    }
    await expect.poll(calls).toBeGreaterThanOrEqual(discovery + 2)
    return provider.config()
  }

  it("D4 keeps an endpoint on the host of the first load and says so", async () => {
    const { idp, provider, redeem } = await open()
    await provider.config()
    const moved = {
      authorization_endpoint: "https://evil.example/a",
      token_endpoint: "https://evil.example/t",
    }
    idp.faults.discovery = { json: (body) => ({ ...body, ...moved }) }
    expect((await reload(room)).authorization_endpoint).toBe(`${idp.issuer}/authorize`)
    expect(new Set(types(room))).toEqual(new Set(["idp.metadata.changed"]))
    expect((await redeem()).subject).toBe("user-1")
  })

  it("D4 takes a new path on the same host, and a host on the list", async () => {
    const { idp, provider } = await open({ entry: { allowedEndpointHosts: ["new.example"] } })
    await provider.config()
    const moved = { authorization_endpoint: "https://new.example/a", jwks_uri: `${idp.issuer}/keys` }
    idp.faults.discovery = { json: (body) => ({ ...body, ...moved }) }
    expect((await reload(room)).authorization_endpoint).toBe("https://new.example/a")
    expect(types(room)).not.toContain("idp.metadata.changed")
  })

  it("D4 lets an endpoint go and come back, but not elsewhere", async () => {
    const { idp, provider } = await open()
    const ends = async () => (await provider.logoutUrl({})) ?? "none"
    const set = (end_session_endpoint?: string) => {
      idp.faults.discovery = { json: (body) => ({ ...body, end_session_endpoint }) }
      return reload(room)
    }
    expect(await ends()).toContain(`${idp.issuer}/logout`)
    await set()
    expect(await ends()).toBe("none")
    await set("https://evil.example/logout")
    expect(await ends()).toBe("none")
    await set(`${idp.issuer}/bye`)
    expect(await ends()).toContain(`${idp.issuer}/bye`)
    expect(new Set(types(room))).toEqual(new Set(["idp.metadata.changed"]))
  })

  it("D4 lets no algorithm list widen the configured one", async () => {
    const { idp, redeem } = await open({
      idp: {
        metadata: { id_token_signing_alg_values_supported: ["none", "ES256", "RS256"] },
        algorithm: "ES256",
      },
    })
    expect(await failureOf(redeem())).toMatchObject({ code: "login_failed", reason: "id_token_alg_refused" })
    expect(idp.calls.token).toBe(1)
  })

  it("D4 keeps what it knows when a renewal fails or speaks for another issuer", async () => {
    const { idp, provider } = await open()
    const before = await provider.config()
    idp.faults.discovery = { json: (body) => ({ ...body, issuer: "https://evil.example" }) }
    expect(await reload(room)).toEqual(before)
    expect(types(room)).toContain("idp.metadata.issuer_mismatch")
  })
})

describe("D5 the refetch of keys", () => {
  it("D5 D8 accepts a login right after each of three rotations (oidcc-client-test-signing-key-rotation)", async () => {
    const { idp, redeem } = await open()
    await redeem()
    for (let rotation = 0; rotation < 3; rotation++) {
      idp.rotateKeys()
      expect((await redeem()).subject).toBe("user-1")
    }
    expect(idp.calls.jwks).toBe(4)
  })

  it("D5 accepts keys that change just before signing (…-signing-key-rotation-just-before-signing)", async () => {
    const { idp, provider, redeem } = await open()
    await provider.config()
    await expect.poll(() => idp.calls.jwks).toBe(1)
    idp.rotateKeys()
    expect((await redeem()).subject).toBe("user-1")
  })

  it("D5 fetches for unknown key ids three times, then once in 30 s", async () => {
    const { idp, redeem, advance } = await open()
    idp.faults.idToken = ({ header }) => {
      header.kid = `made-up-${Math.random()}`
    }
    const unknown = { code: "login_failed", reason: "id_token_key_unknown", spent: true }
    for (let i = 0; i < 6; i++) expect(await failureOf(redeem())).toEqual(unknown)
    expect(idp.calls.jwks).toBe(1 + 3)
    advance(31)
    for (let i = 0; i < 3; i++) expect(await failureOf(redeem())).toEqual(unknown)
    expect(idp.calls.jwks).toBe(1 + 3 + 1)
  })

  it("D5 fetches once for many logins at once", async () => {
    const { idp, redeem } = await open()
    await Promise.all(Array.from({ length: 10 }, () => redeem()))
    expect(idp.calls).toMatchObject({ discovery: 1, jwks: 1, token: 10 })
  })
})

describe("D6 the choice of a key", () => {
  const publish = ({ idp }: Room, edit: (keys: Record<string, unknown>[]) => unknown[]) => {
    idp.faults.jwks = { json: ({ keys }) => ({ keys: edit(keys as Record<string, unknown>[]) }) }
  }
  const noKid = ({ header }: { header: Record<string, unknown> }) => {
    delete header.kid
  }

  it("D6 takes the one fitting key where there is no kid (oidcc-client-test-kid-absent-single-jwks)", async () => {
    const { idp, redeem } = await open()
    const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" })
    publish(room, (keys) => [
      { ...ec, kid: "ec" },
      { ...jwk(), use: "enc" },
      { ...jwk(), key_ops: ["encrypt"] },
      { ...jwk(), alg: "RS512" },
      ...keys,
    ])
    idp.faults.idToken = noKid
    expect((await redeem()).subject).toBe("user-1")
  })

  it("D6 refuses to guess where several fit (oidcc-client-test-kid-absent-multiple-jwks)", async () => {
    const { idp, redeem } = await open()
    publish(room, (keys) => [...keys, jwk()])
    idp.faults.idToken = noKid
    expect(await failureOf(redeem())).toMatchObject({
      code: "login_failed",
      reason: "id_token_key_ambiguous",
    })
  })

  it("D6 refuses a kid that two keys have", async () => {
    const { redeem } = await open()
    publish(room, (keys) => [...keys, { ...jwk(), kid: keys[0]?.kid }])
    expect(await failureOf(redeem())).toMatchObject({
      code: "login_failed",
      reason: "id_token_key_ambiguous",
    })
  })

  it.each(["other", "", "__proto__"])(
    "D6 never falls back from the unknown kid %j to another key",
    async (kid) => {
      const { idp, redeem } = await open()
      idp.faults.idToken = ({ header }) => {
        header.kid = kid
      }
      expect(await failureOf(redeem())).toMatchObject({
        code: "login_failed",
        reason: "id_token_key_unknown",
      })
    },
  )
})

describe("D7 poisoned key sets", () => {
  it("D7 skips and counts what no honest provider publishes", async () => {
    const { idp, redeem } = await open()
    const bad = [
      { kty: "oct", k: "c2VjcmV0", kid: "oct", alg: "RS256" },
      { ...jwk(1024), kid: "weak" },
      { ...jwk(), d: "AQAB", kid: "private" },
      { ...jwk(), e: "AQ", kid: "exponent" },
      { kty: "RSA", kid: "empty" },
      "text",
      null,
    ]
    idp.faults.jwks = { json: ({ keys }) => ({ keys: [...bad, ...(keys as unknown[])] }) }
    expect((await redeem()).subject).toBe("user-1")
    expect(room.events).toEqual([{ type: "idp.jwks.key_refused", provider: "idp", count: bad.length }])
  })

  it("D7 never takes an `oct` key for HS256", async () => {
    const k = Buffer.alloc(32, 7).toString("base64url")
    const { idp, redeem } = await open({ entry: { idTokenAlgorithms: ["RS256", "HS256"] } })
    const { createSecretKey } = await import("node:crypto")
    idp.faults.jwks = {
      json: ({ keys }) => ({ keys: [...(keys as unknown[]), { kty: "oct", k, kid: "mac", alg: "HS256" }] }),
    }
    idp.faults.idToken = (draft) => {
      draft.header = { alg: "HS256", kid: "mac" }
      draft.key = createSecretKey(Buffer.alloc(32, 7))
    }
    expect(await failureOf(redeem())).toMatchObject({ reason: "id_token_signature_invalid" })
  })

  const unusable: [string, EndpointFault, string][] = [
    ["no key", { json: () => ({ keys: [] }) }, "no_usable_keys"],
    ["no list", { json: () => ({ keys: {} }) }, "no_usable_keys"],
    [
      "more than 100 keys",
      { json: ({ keys }) => ({ keys: Array(101).fill((keys as unknown[])[0]) }) },
      "no_usable_keys",
    ],
    ["more than 256 KiB", { json: (body) => ({ ...body, more: "a".repeat(256 * 1024) }) }, "too_large"],
    ["a list", { raw: "[]" }, "malformed"],
  ]

  it.each(unusable)("D7 refuses a set with %s before the code is spent", async (_, fault, reason) => {
    const { idp, redeem } = await open()
    idp.faults.jwks = fault
    expect(await failureOf(redeem())).toMatchObject({ reason, spent: false })
    expect(idp.calls.token).toBe(0)
  })

  it.each(unusable)("D7 keeps the old set when the new one has %s", async (_, fault) => {
    const { idp, redeem, advance } = await open()
    await redeem()
    idp.faults.jwks = fault
    advance(700)
    expect((await redeem()).subject).toBe("user-1")
    expect(idp.calls.jwks).toBe(2)
  })
})

describe("D8 caches", () => {
  it("D8 shares metadata and keys among the client ids of one issuer", async () => {
    const { idp, providers } = await open({
      more: [{ id: "idp.ios", redirectUris: ["com.example.ios://callback"] }],
    })
    for (const provider of providers.list) await provider.redeem(redemptionOf(idp.finishLogin()))
    expect(providers.list.map(({ id }) => id)).toEqual(["idp", "idp.ios"])
    expect(idp.calls).toMatchObject({ discovery: 1, jwks: 1, token: 2 })
  })

  it("D8 shares nothing among entries that trust other hosts, or find the metadata elsewhere", async () => {
    const { idp, providers } = await open({
      more: [{ id: "strict", allowedEndpointHosts: [] }],
    })
    const elsewhere = { id: "elsewhere", metadataUrl: `${idp.issuer}/.well-known/nowhere` }
    const other = await openRoom({
      entry: { issuer: idp.issuer },
      more: [{ issuer: idp.issuer, ...elsewhere }],
    })
    for (const { list } of [providers, other.providers])
      expect((await list[0]?.config())?.issuer).toBe(idp.issuer)
    expect((await providers.get("strict")?.config())?.issuer).toBe(idp.issuer)
    expect(idp.calls.discovery).toBe(3)
    expect(await failureOf(other.providers.get("elsewhere")?.config() ?? Promise.resolve())).toMatchObject({
      code: "idp_bad_response",
    })
    await other.close()
  })

  it("D8 takes the keys of a new jwks_uri, and none of the old one's", async () => {
    const { idp, redeem, advance } = await open()
    await redeem()
    const moved: string[] = []
    idp.faults.discovery = {
      json(body) {
        moved.push(String(body.jwks_uri))
        return { ...body, jwks_uri: `${body.jwks_uri}?moved` }
      },
    }
    const asked = () =>
      idp.requests.flatMap(({ endpoint, url }) => (endpoint === "jwks" ? [url.endsWith("?moved")] : []))
    advance(3601)
    // The first one after the hour renews behind its answer.
    await redeem()
    await expect.poll(() => moved.length).toBe(1)
    await redeem()
    expect(asked().at(-1)).toBe(true)
  })

  it("D8 accepts no key of another issuer, whatever its kid", async () => {
    const { idp } = await open()
    const other = await openRoom({
      idp: { clients: [{ clientId: idp.clientId, clientSecret: idp.clientSecret }] },
    })
    idp.rotateKeys()
    const both = await openRoom({
      entry: {
        id: "a",
        issuer: idp.issuer,
        metadataUrl: `${idp.issuer}/.well-known/openid-configuration`,
        clientId: idp.clientId,
        clientSecret: idp.clientSecret,
      },
      more: [
        {
          id: "b",
          issuer: other.idp.issuer,
          metadataUrl: `${other.idp.issuer}/.well-known/openid-configuration`,
          clientId: idp.clientId,
          clientSecret: idp.clientSecret,
        },
      ],
    })
    const a = both.providers.get("a")
    const b = both.providers.get("b")
    if (!a || !b) throw new Error("missing")
    expect((await a.redeem(redemptionOf(idp.finishLogin()))).issuer).toBe(idp.issuer)
    expect((await b.redeem(redemptionOf(other.idp.finishLogin()))).issuer).toBe(other.idp.issuer)
    // B says its own issuer and signs with A's key under A's kid.
    other.idp.faults.idToken = ({ claims }) => idp.sign(claims)
    expect(await failureOf(b.redeem(redemptionOf(other.idp.finishLogin())))).toMatchObject({
      reason: "id_token_key_unknown",
    })
    await both.close()
    await other.close()
  })

  it("D8 forgets a key that the provider has removed, at the latest after ten minutes", async () => {
    const { idp, redeem, advance } = await open()
    await redeem()
    const stolen = idp.sign
    const claims = (nonce: string) => ({
      iss: idp.issuer,
      sub: "user-1",
      aud: idp.clientId,
      nonce,
      iat: Math.floor(Date.now() / 1000),
      exp: Math.floor(Date.now() / 1000) + 3600,
    })
    const login = idp.finishLogin()
    const old = stolen(claims(login.nonce))
    idp.rotateKeys()
    advance(590)
    idp.faults.idToken = () => old
    expect((await redeem(login)).subject).toBe("user-1")
    advance(11)
    const again = idp.finishLogin({ nonce: login.nonce })
    expect(await failureOf(redeem(again))).toMatchObject({ reason: "id_token_key_unknown" })
  })
})

describe("D9 answers of the token endpoint", () => {
  const answers: [string, EndpointFault, string, string][] = [
    [
      "HTML",
      { raw: "<html>", headers: { "content-type": "text/html" } },
      "idp_bad_response",
      "token_answer_malformed",
    ],
    ["nothing", { raw: "" }, "idp_bad_response", "token_answer_malformed"],
    ["half an object", { raw: '{"access_token":"a"' }, "idp_bad_response", "token_answer_malformed"],
    ["a list", { raw: "[]" }, "idp_bad_response", "token_answer_malformed"],
    [
      "a name twice",
      { raw: '{"access_token":"a","access_token":"b"}' },
      "idp_bad_response",
      "token_answer_malformed",
    ],
    ["bad UTF-8", { raw: new Uint8Array([0x7b, 0xff, 0x7d]) }, "idp_bad_response", "token_answer_malformed"],
    ["more than 1 MiB", { raw: `"${"a".repeat(1024 * 1024)}"` }, "idp_bad_response", "too_large"],
    ["200 with an error", { json: () => ({ error: "invalid_grant" }) }, "login_failed", "invalid_grant"],
    [
      "invalid_grant as 403",
      { status: 403, json: () => ({ error: "invalid_grant" }) },
      "login_failed",
      "invalid_grant",
    ],
    [
      "invalid_grant as 401",
      { status: 401, json: () => ({ error: "invalid_grant" }) },
      "login_failed",
      "invalid_grant",
    ],
    [
      "invalid_grant as text",
      { status: 400, raw: '{"error":"invalid_grant"}', headers: { "content-type": "text/plain" } },
      "login_failed",
      "invalid_grant",
    ],
    ["a bare 400", { status: 400, raw: "" }, "login_failed", "token_request_refused"],
    ["a bare 403", { status: 403, raw: "" }, "login_failed", "token_request_refused"],
    ["a bare 401", { status: 401, raw: "" }, "idp_misconfigured", "invalid_client"],
    [
      "invalid_client",
      { status: 400, json: () => ({ error: "invalid_client" }) },
      "idp_misconfigured",
      "invalid_client",
    ],
    [
      "invalid_scope",
      { status: 400, json: () => ({ error: "invalid_scope" }) },
      "idp_bad_response",
      "token_request_rejected",
    ],
    ["a page of a firewall", { status: 403, raw: "<html>" }, "idp_bad_response", "http_status"],
  ]

  it.each(answers)("D9 D12 %s", async (_, fault, code, reason) => {
    const { idp, redeem } = await open()
    idp.faults.token = fault
    expect(await failureOf(redeem())).toEqual({ code, reason, spent: true })
    expect(idp.calls.token).toBe(1)
  })
})

describe("D10 fields of the token answer", () => {
  const answer = (fields: Record<string, unknown>) => ({
    json: (body: Record<string, unknown>) => ({ ...body, ...fields }),
  })

  it.each([
    [{ expires_in: 600 }, 600],
    [{ expires_in: "600" }, 600],
    [{ expires_in: 599.9 }, 599],
    [{ expires_in: 1e12 }, 30 * 86_400],
    [{ expires_in: -1 }, undefined],
    [{ expires_in: 0 }, undefined],
    [{ expires_in: "NaN" }, undefined],
    [{ expires_in: null }, undefined],
    [{ expires_in: [600] }, undefined],
    // token-endpoint-response-without-expires_in
    [{ expires_in: undefined }, undefined],
  ])("D10 reads %j as a lifetime of %s", async (fields, lifetime) => {
    const { idp, redeem } = await open()
    idp.faults.token = answer(fields)
    const before = Math.floor(Date.now() / 1000)
    const { tokens } = await redeem()
    const after = Math.floor(Date.now() / 1000)
    if (lifetime === undefined) expect(tokens).not.toHaveProperty("expires_at")
    else {
      expect(tokens.expires_at).toBeGreaterThanOrEqual(before + lifetime)
      expect(tokens.expires_at).toBeLessThanOrEqual(after + lifetime)
    }
  })

  it.each([
    ["bearer", "Bearer"],
    ["BEARER", "Bearer"],
    ["dpop", "DPoP"],
  ])("D10 reads the token type %s as %s (token-type-case-insensitivity)", async (given, read) => {
    const { idp, redeem } = await open()
    idp.faults.token = answer({ token_type: given })
    expect((await redeem()).tokens.token_type).toBe(read)
  })

  it.each([
    [{ token_type: undefined }, "token_type_unsupported"],
    [{ token_type: "mac" }, "token_type_unsupported"],
    [{ token_type: ["Bearer"] }, "token_type_unsupported"],
    [{ access_token: "" }, "token_answer_malformed"],
    [{ access_token: undefined }, "token_answer_malformed"],
    [{ access_token: 7 }, "token_answer_malformed"],
    [{ refresh_token: "" }, "token_answer_malformed"],
    [{ scope: ["openid"] }, "token_answer_malformed"],
  ])("D10 refuses %j", async (fields, reason) => {
    const { idp, redeem } = await open()
    idp.faults.token = answer(fields)
    expect(await failureOf(redeem())).toEqual({ code: "idp_bad_response", reason, spent: true })
  })

  it("D10 takes null for absent, and a wider scope (no-scope-in-token-endpoint-response)", async () => {
    const { idp, redeem } = await open()
    idp.faults.token = answer({ refresh_token: null, scope: null })
    const { tokens } = await redeem()
    expect(tokens).not.toHaveProperty("refresh_token")
    expect(tokens).not.toHaveProperty("scope")
    idp.faults.token = answer({ refresh_token: "rt", scope: "openid more" })
    expect((await redeem()).tokens).toMatchObject({ refresh_token: "rt", scope: "openid more" })
  })
})

describe("D12 a provider in trouble", () => {
  it.each([
    ["reset before", { hangUp: "before" }, "idp_unavailable"],
    ["reset after", { hangUp: "after" }, "idp_unavailable"],
    ["429", { status: 429 }, "idp_unavailable"],
    ["500", { status: 500 }, "idp_unavailable"],
    ["503", { status: 503, raw: "<html>" }, "idp_unavailable"],
  ] as const)("D12 presents a code once, and says that it is spent: %s", async (_, fault, code) => {
    const { idp, redeem } = await open()
    idp.faults.token = fault
    expect(await failureOf(redeem())).toMatchObject({ code, spent: true })
    expect(idp.calls.token).toBe(1)
  })

  it("D12 leaves the code unspent where nobody listens", async () => {
    const { idp, redeem, provider } = await open()
    await provider.config()
    await expect.poll(() => idp.calls.jwks).toBe(1)
    await idp.close()
    expect(await failureOf(redeem())).toEqual({ code: "idp_unavailable", reason: "connect", spent: false })
  })

  it("D12 tries discovery three times and then leaves the provider alone for a while", async () => {
    const { idp, provider, advance } = await open()
    idp.faults.discovery = { status: 503 }
    expect(await failureOf(provider.config())).toEqual({
      code: "idp_unavailable",
      reason: "http_status",
      spent: false,
    })
    expect(idp.calls.discovery).toBe(3)
    expect(await failureOf(provider.config())).toMatchObject({
      code: "idp_unavailable",
      reason: "http_status",
    })
    expect(idp.calls.discovery).toBe(3)
    idp.faults = {}
    advance(1.5)
    expect((await provider.config()).issuer).toBe(idp.issuer)
    expect(room.events).toEqual([{ type: "idp.unavailable", provider: "idp", reason: "http_status" }])
  })

  it("D12 outlives one failure without anyone noticing", async () => {
    const { idp, redeem } = await open()
    idp.faults.discovery = { hangUp: "before", times: 1 }
    idp.faults.jwks = { status: 502, times: 2 }
    expect((await redeem()).subject).toBe("user-1")
    expect(room.events).toEqual([])
  })

  it("D12 honours Retry-After, and at most a minute of it", async () => {
    const { idp, provider, advance } = await open()
    idp.faults.discovery = { status: 429, headers: { "retry-after": "3600" }, times: 1 }
    expect(await failureOf(provider.config())).toMatchObject({ reason: "rate_limited" })
    advance(55)
    expect(await failureOf(provider.config())).toMatchObject({ reason: "rate_limited" })
    expect(idp.calls.discovery).toBe(1)
    advance(6)
    expect((await provider.config()).issuer).toBe(idp.issuer)
  })

  it("D12 logs in with the keys of yesterday while the provider's are down, and not with older ones", async () => {
    const { idp, redeem, advance } = await open()
    await redeem()
    idp.faults.jwks = { status: 500 }
    advance(86_000)
    expect((await redeem()).subject).toBe("user-1")
    advance(1_000)
    expect(await failureOf(redeem())).toMatchObject({ code: "idp_unavailable", spent: false })
  })

  it("D12 says that the code is spent where the keys fail after it", async () => {
    const { idp, redeem } = await open()
    await redeem()
    idp.rotateKeys()
    idp.faults.jwks = { status: 500 }
    expect(await failureOf(redeem())).toEqual({ code: "idp_unavailable", reason: "http_status", spent: true })
  })
})

describe("GR2 what leaves the room", () => {
  it("puts nothing of the provider's or the login's into errors and events", async () => {
    const { idp, provider } = await open({ entry: { fetchUserinfo: true } })
    const login = idp.finishLogin()
    const secrets = [login.code, login.code_verifier, login.nonce, idp.clientSecret, "canary-text"]
    const caught: unknown[] = []
    const faults: EndpointFault[] = [
      { status: 400, json: () => ({ error: "canary-text", error_description: "canary-text" }) },
      { raw: "canary-text" },
      { status: 500, raw: "canary-text" },
    ]
    for (const fault of faults) {
      idp.faults = { token: fault }
      await provider.redeem(redemptionOf(login)).catch((error: unknown) => caught.push(error))
    }
    idp.faults = { idToken: () => "canary-text.canary-text.canary-text" }
    await provider.redeem(redemptionOf(idp.finishLogin())).catch((error: unknown) => caught.push(error))
    expect(caught).toHaveLength(4)
    const { inspect } = await import("node:util")
    const shown = inspect([caught, room.events], { depth: 9, showHidden: true })
    for (const secret of secrets) expect(shown).not.toContain(secret)
  })
})

describe("providers by name", () => {
  it("C6 finds those of the configuration and nothing else", async () => {
    const { providers, provider } = await open()
    expect(providers.get("idp")).toBe(provider)
    for (const name of ["", "__proto__", "constructor", "IDP", "toString"])
      expect(providers.get(name)).toBeUndefined()
  })

  it("takes inline metadata and a metadata URL of its own", async () => {
    const { idp } = await open()
    const { metadataUrl } = providerEntry({ issuer: idp.issuer })
    const metadata = await (await fetch(metadataUrl)).json()
    const inline = await openRoom({
      entry: {
        issuer: idp.issuer,
        clientId: idp.clientId,
        clientSecret: idp.clientSecret,
        metadata,
        metadataUrl: "https://nowhere.example",
      },
    })
    expect((await inline.provider.redeem(redemptionOf(idp.finishLogin()))).issuer).toBe(idp.issuer)
    expect(idp.calls.discovery).toBe(1)
    await inline.close()
  })

  it("B5 compares the callback's iss, and misses it where it is promised", async () => {
    const { idp, provider } = await open()
    expect(await provider.checkCallbackIssuer(idp.issuer)).toBeUndefined()
    const refusal = { code: "login_failed", spent: false }
    expect(await failureOf(provider.checkCallbackIssuer(`${idp.issuer}/`))).toEqual({
      ...refusal,
      reason: "callback_issuer_mismatch",
    })
    expect(await failureOf(provider.checkCallbackIssuer(undefined))).toEqual({
      ...refusal,
      reason: "callback_issuer_missing",
    })
    await room.close()
    const silent = await open({
      idp: { metadata: { authorization_response_iss_parameter_supported: undefined } },
    })
    expect(await silent.provider.checkCallbackIssuer(undefined)).toBeUndefined()
    expect(await failureOf(silent.provider.checkCallbackIssuer("https://evil.example"))).toMatchObject(
      refusal,
    )
  })
})
