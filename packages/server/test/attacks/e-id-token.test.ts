import { createHash, createPublicKey, createSecretKey, generateKeyPairSync } from "node:crypto"
import { afterEach, describe, expect, it } from "vitest"
import type { DraftToken } from "../../src/testing/index.js"
import { failureOf, openRoom, type Room, type RoomOptions } from "../support/provider-room.js"

let room: Room | undefined

afterEach(async () => {
  await room?.close()
  room = undefined
})

const seconds = () => Math.floor(Date.now() / 1000)
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")
const unsigned = (header: unknown, claims: unknown) => `${part(header)}.${part(claims)}.AAAA`
const stranger = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey
const leftHalf = (hash: string, text: string) => {
  const digest = createHash(hash).update(text).digest()
  return digest.subarray(0, digest.length / 2).toString("base64url")
}

interface Row {
  name: string
  reason: string
  edit: (draft: DraftToken) => unknown
  options?: RoomOptions
}

const named = <T extends { name: string }>(rows: T[]) => rows.map((row) => [row.name, row] as const)
/** What anybody can fetch: the key that an algorithm-confusion attack signs with. */
const publishedKey = ({ key }: DraftToken) =>
  createSecretKey(Buffer.from(createPublicKey(key).export({ type: "spki", format: "pem" })))

const setHeader = (header: Record<string, unknown>) => (draft: DraftToken) => {
  Object.assign(draft.header, header)
}
const setClaims = (claims: Record<string, unknown>) => (draft: DraftToken) => {
  Object.assign(draft.claims, claims)
}
const without = (claim: string) => (draft: DraftToken) => {
  delete draft.claims[claim]
}
const resign = (edit: (signed: string) => string) => (draft: DraftToken) =>
  edit(`${part(draft.header)}.${part(draft.claims)}.${"A".repeat(342)}`)

const refusals: Row[] = [
  ...[{ alg: "none" }, { alg: "None" }, { alg: "" }, { alg: undefined }, { alg: ["RS256"] }].map(
    (header) => ({
      name: `E2 refuses alg ${JSON.stringify(header.alg)} (oidcc-client-test-idtoken-sig-none)`,
      reason: "id_token_alg_refused",
      edit: ({ claims }: DraftToken) => unsigned(header, claims),
    }),
  ),
  {
    name: "E2 refuses a token without a signature",
    reason: "id_token_malformed",
    edit: ({ claims }) => `${part({ alg: "none" })}.${part(claims)}.`,
  },
  {
    name: "E3 refuses the published RSA key as an HS256 secret (oidcc-client-test-invalid-sig-hs256)",
    reason: "id_token_alg_refused",
    edit(draft) {
      draft.header.alg = "HS256"
      draft.key = publishedKey(draft)
    },
  },
  {
    name: "E3 refuses an algorithm that the key is right for and the configuration does not name",
    reason: "id_token_alg_refused",
    edit() {},
    options: { idp: { algorithm: "ES256" } },
  },
  {
    name: "E3 refuses HS256 by the public key where HS256 is configured",
    reason: "id_token_signature_invalid",
    edit(draft) {
      draft.header.alg = "HS256"
      draft.key = publishedKey(draft)
    },
    options: { entry: { idTokenAlgorithms: ["HS256"] } },
  },
  {
    name: "E4 refuses another key's signature (oidcc-client-test-invalid-sig-rs256)",
    reason: "id_token_signature_invalid",
    edit(draft) {
      draft.key = stranger
    },
  },
  {
    name: "E4 refuses a broken ES256 signature (oidcc-client-test-invalid-sig-es256)",
    reason: "id_token_signature_invalid",
    edit(draft) {
      draft.key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey
    },
    options: { idp: { algorithm: "ES256" }, entry: { idTokenAlgorithms: ["ES256"] } },
  },
  {
    name: "E4 refuses a truncated signature",
    reason: "id_token_signature_invalid",
    edit: resign((token) => token.slice(0, -42)),
  },
  ...[
    { crit: ["exp"] },
    { crit: ["b64"], b64: false },
    { b64: true },
    { zip: "DEF" },
    { enc: "A256GCM" },
    { cty: "JWT" },
  ].map((header) => ({
    name: `E6 refuses the header ${JSON.stringify(header)}`,
    reason: "id_token_header_refused",
    edit: setHeader(header),
  })),
  ...["logout+jwt", "at+jwt", "dpop+jwt", "", 1].map((typ) => ({
    name: `E6 E17 refuses typ ${JSON.stringify(typ)}`,
    reason: "id_token_header_refused",
    edit: setHeader({ typ }),
  })),
  {
    name: "E6 refuses an encrypted token",
    reason: "id_token_malformed",
    edit: () => `${part({ alg: "dir", enc: "A256GCM" })}..AAAA.AAAA.AAAA`,
  },
  ...(
    [
      ["an oversize token", (token: string) => `${token}${"A".repeat(16 * 1024)}`],
      ["padding", (token: string) => `${token}==`],
      ["white space", (token: string) => ` ${token}`],
      ["two parts", (token: string) => token.split(".").slice(0, 2).join(".")],
      ["four parts", (token: string) => `${token}.AAAA`],
      ["a foreign alphabet", (token: string) => `${token.slice(0, -2)}+/`],
    ] as const
  ).map(([what, edit]) => ({ name: `E7 refuses ${what}`, reason: "id_token_malformed", edit: resign(edit) })),
  {
    name: "E7 refuses a claim that is there twice",
    reason: "id_token_malformed",
    edit: ({ header, claims }) =>
      `${part(header)}.${Buffer.from(JSON.stringify(claims).replace("{", '{"sub":"mallory",')).toString("base64url")}.AAAA`,
  },
  {
    name: "E7 refuses a depth bomb",
    reason: "id_token_malformed",
    edit: ({ header }) =>
      `${part(header)}.${Buffer.from(`{"a":${"[".repeat(3000)}${"]".repeat(3000)}}`).toString("base64url")}.AAAA`,
  },
  {
    name: "E8 refuses another issuer (oidcc-client-test-invalid-iss)",
    reason: "id_token_iss_mismatch",
    edit: setClaims({ iss: "https://other.example/" }),
  },
  {
    name: "E8 refuses an issuer with one more slash",
    reason: "id_token_iss_mismatch",
    edit(draft) {
      draft.claims.iss += "/"
    },
  },
  { name: "E8 refuses a missing issuer", reason: "id_token_iss_mismatch", edit: without("iss") },
  {
    name: "E9 refuses another audience (oidcc-client-test-invalid-aud)",
    reason: "id_token_aud_mismatch",
    edit: setClaims({ aud: "other-client" }),
  },
  {
    name: "E9 refuses a missing audience (oidcc-client-test-missing-aud)",
    reason: "id_token_aud_mismatch",
    edit: without("aud"),
  },
  {
    name: "E9 refuses a stranger beside us, azp or not (invalid-secondary-aud)",
    reason: "id_token_aud_mismatch",
    edit: setClaims({ aud: ["test-client", "stranger"], azp: "test-client" }),
  },
  {
    name: "E9 refuses two audiences without azp",
    reason: "id_token_azp_mismatch",
    edit: setClaims({ aud: ["test-client", "api"] }),
    options: { entry: { trustedAudiences: ["api"] } },
  },
  {
    name: "E9 refuses an azp that is another client",
    reason: "id_token_azp_mismatch",
    edit: setClaims({ azp: "other-client" }),
  },
  {
    name: "E10 refuses an expired token (invalid-expired-exp)",
    reason: "id_token_expired",
    edit: setClaims({ exp: seconds() - 90 }),
  },
  {
    name: "E10 refuses a missing exp (invalid-missing-exp)",
    reason: "id_token_exp_invalid",
    edit: without("exp"),
  },
  ...[String(seconds() + 60), 1e15, -1, null, true].map((exp) => ({
    name: `E10 refuses exp ${JSON.stringify(exp).slice(0, 6)}`,
    reason: "id_token_exp_invalid",
    edit: setClaims({ exp }),
  })),
  {
    name: "E10 refuses a missing iat (oidcc-client-test-missing-iat)",
    reason: "id_token_iat_invalid",
    edit: without("iat"),
  },
  {
    name: "E10 refuses an iat of the future",
    reason: "id_token_iat_invalid",
    edit: setClaims({ iat: seconds() + 120 }),
  },
  {
    name: "E10 refuses an iat of last week (iat-is-week-in-past)",
    reason: "id_token_iat_invalid",
    edit: setClaims({ iat: seconds() - 7 * 86_400 }),
  },
  {
    name: "E10 refuses an iat that is text",
    reason: "id_token_iat_invalid",
    edit: setClaims({ iat: String(seconds()) }),
  },
  {
    name: "E10 refuses an nbf of the future",
    reason: "id_token_nbf_invalid",
    edit: setClaims({ nbf: seconds() + 120 }),
  },
  { name: "E10 refuses an nbf that is text", reason: "id_token_nbf_invalid", edit: setClaims({ nbf: "0" }) },
  {
    name: "E11 refuses another nonce (oidcc-client-test-nonce-invalid)",
    reason: "id_token_nonce_mismatch",
    edit: setClaims({ nonce: "n".repeat(43) }),
  },
  { name: "E11 refuses a missing nonce", reason: "id_token_nonce_mismatch", edit: without("nonce") },
  {
    name: "E11 heeds no claim that says nonces are not supported",
    reason: "id_token_nonce_mismatch",
    edit(draft) {
      delete draft.claims.nonce
      draft.claims.nonce_supported = false
    },
  },
  {
    name: "E12 refuses a login that is older than max_age",
    reason: "reauth_required",
    edit: setClaims({ auth_time: seconds() - 400 }),
    options: { entry: { maxAge: 300 } },
  },
  {
    name: "E12 refuses a missing auth_time where max_age was asked",
    reason: "reauth_required",
    edit() {},
    options: { entry: { maxAge: 300 } },
  },
  {
    name: "E12 refuses a login of the future where max_age was asked",
    reason: "reauth_required",
    edit: setClaims({ auth_time: seconds() + 400 }),
    options: { entry: { maxAge: 300 } },
  },
  {
    name: "E12 refuses an acr that was not asked",
    reason: "id_token_acr_mismatch",
    edit: setClaims({ acr: "password" }),
    options: { entry: { authorizationParams: { acr_values: "mfa phr" } } },
  },
  {
    name: "E13 refuses a wrong at_hash (oidcc-client-test-invalid-athash)",
    reason: "id_token_hash_mismatch",
    edit: setClaims({ at_hash: "A".repeat(22) }),
  },
  {
    name: "E13 refuses a wrong c_hash",
    reason: "id_token_hash_mismatch",
    edit: setClaims({ c_hash: "A".repeat(22) }),
  },
  {
    name: "E13 refuses an at_hash that is no text",
    reason: "id_token_hash_mismatch",
    edit: setClaims({ at_hash: null }),
  },
  {
    name: "E14 refuses a missing sub (oidcc-client-test-missing-sub)",
    reason: "id_token_sub_invalid",
    edit: without("sub"),
  },
  ...["", "s".repeat(256), 7, null, ["alice"], "s\0", "s\ud800"].map((sub) => ({
    name: `E14 refuses sub ${JSON.stringify(sub).slice(0, 9)}`,
    reason: "id_token_sub_invalid",
    edit: setClaims({ sub }),
  })),
  ...["s\0", "\udc00s"].map((sid) => ({
    name: `E14 refuses sid ${JSON.stringify(sid)}, which no store could keep`,
    reason: "id_token_sid_invalid",
    edit: setClaims({ sid }),
  })),
  {
    name: "E17 refuses a logout token",
    reason: "id_token_not_an_id_token",
    edit: setClaims({ events: { "http://schemas.openid.net/event/backchannel-logout": {} } }),
  },
  {
    name: "refuses another organization's id",
    reason: "id_token_organization_mismatch",
    edit: setClaims({ org_id: "org_b", org_name: "org_a" }),
    options: { entry: { organization: "org_a" } },
  },
  {
    name: "refuses another organization's name",
    reason: "id_token_organization_mismatch",
    edit: setClaims({ org_id: "acme", org_name: "other" }),
    options: { entry: { organization: "acme" } },
  },
]

describe("ID tokens that are refused", () => {
  it.each(named(refusals))("%s", async (_, { reason, edit, options }) => {
    room = await openRoom({ ...options, entry: { fetchUserinfo: true, ...options?.entry } })
    room.idp.faults.idToken = edit
    expect(await failureOf(room.redeem())).toEqual({ code: "login_failed", reason, spent: true })
    expect(room.idp.calls).toMatchObject({ token: 1, userinfo: 0 })
  })

  it("E1 refuses an answer without an ID token", async () => {
    room = await openRoom()
    for (const idToken of [undefined, null]) {
      room.idp.faults.token = { json: (body) => ({ ...body, id_token: idToken }) }
      expect(await failureOf(room.redeem())).toMatchObject({
        code: "login_failed",
        reason: "id_token_missing",
      })
    }
  })

  it("E3 takes no HS256 secret of less than 32 bytes", async () => {
    const clients = [{ clientId: "test-client", clientSecret: "s".repeat(31) }]
    room = await openRoom({ idp: { clients }, entry: { idTokenAlgorithms: ["HS256"] } })
    room.idp.faults.idToken = (draft) => {
      draft.header.alg = "HS256"
      draft.key = createSecretKey(Buffer.from("s".repeat(31)))
    }
    expect(await failureOf(room.redeem())).toEqual({
      code: "idp_misconfigured",
      reason: "client_key_unusable",
      spent: true,
    })
  })

  it("E5 never looks at jku, x5u, jwk or x5c", async () => {
    room = await openRoom()
    const trap = await openRoom()
    const jwk = generateKeyPairSync("rsa", { modulusLength: 2048 })
    room.idp.faults.idToken = (draft) => {
      draft.key = jwk.privateKey
      const published = { ...jwk.publicKey.export({ format: "jwk" }), kid: draft.header.kid }
      Object.assign(draft.header, {
        jku: `${trap.idp.issuer}/keys`,
        x5u: `${trap.idp.issuer}/cert`,
        jwk: published,
        x5c: ["AAAA"],
      })
    }
    const failure = await failureOf(room.redeem())
    const hits = trap.idp.requests.length
    await trap.close()
    expect(failure).toMatchObject({ code: "login_failed", reason: "id_token_signature_invalid" })
    expect(hits).toBe(0)
  })

  it("E11 refuses a nonce where the app sent none", async () => {
    room = await openRoom({ entry: { nonceOptional: true } })
    const { idp, provider } = room
    const { nonce, ...login } = idp.finishLogin()
    const redemption = {
      code: login.code,
      codeVerifier: login.code_verifier,
      redirectUri: login.redirect_uri,
    }
    expect(nonce).not.toBe("")
    expect(await failureOf(provider.redeem(redemption))).toMatchObject({
      reason: "id_token_nonce_unexpected",
    })
  })

  it("E11 sends nothing where a nonce is required and there is none", async () => {
    room = await openRoom()
    const { idp, provider } = room
    const login = idp.finishLogin()
    const redemption = {
      code: login.code,
      codeVerifier: login.code_verifier,
      redirectUri: login.redirect_uri,
    }
    const failure = await failureOf(provider.redeem(redemption))
    expect(failure).toEqual({ code: "login_failed", reason: "nonce_required", spent: false })
    expect(idp.requests).toEqual([])
  })
})

const accepted: { name: string; edit: (draft: DraftToken) => unknown; options?: RoomOptions }[] = [
  { name: "E3 RS256 (oidcc-client-test-idtoken-sig-rs256)", edit() {} },
  {
    name: "E3 ES256 where configured",
    edit() {},
    options: { idp: { algorithm: "ES256" }, entry: { idTokenAlgorithms: ["ES256"] } },
  },
  {
    name: "E3 EdDSA where configured",
    edit() {},
    options: { idp: { algorithm: "EdDSA" }, entry: { idTokenAlgorithms: ["EdDSA"] } },
  },
  {
    name: "E3 HS256 by the client secret where configured",
    edit(draft) {
      draft.header = { alg: "HS256" }
      draft.key = createSecretKey(Buffer.from(room?.idp.clientSecret ?? ""))
    },
    options: { entry: { idTokenAlgorithms: ["HS256"] } },
  },
  { name: "E6 no typ", edit: setHeader({ typ: undefined }) },
  { name: "E9 aud as an array (valid-aud-as-array)", edit: setClaims({ aud: ["test-client"] }) },
  {
    name: "E9 a trusted audience beside us",
    edit: setClaims({ aud: ["api", "test-client"], azp: "test-client" }),
    options: { entry: { trustedAudiences: ["api"] } },
  },
  {
    name: "E10 clocks that differ by less than the skew",
    edit: setClaims({ iat: seconds() + 30, exp: seconds() - 30 }),
  },
  {
    name: "E12 a login within max_age",
    edit: setClaims({ auth_time: seconds() - 200 }),
    options: { entry: { maxAge: 300 } },
  },
  {
    name: "E12 one of the acr values",
    edit: setClaims({ acr: "phr" }),
    options: { entry: { authorizationParams: { acr_values: "mfa phr" } } },
  },
  { name: "E14 a sub of 255 characters", edit: setClaims({ sub: "s".repeat(255) }) },
  {
    name: "an organization by its id",
    edit: setClaims({ org_id: "org_a" }),
    options: { entry: { organization: "org_a" } },
  },
  {
    name: "an organization by its name in another case",
    edit: setClaims({ org_id: "org_a", org_name: "acme" }),
    options: { entry: { organization: "ACME" } },
  },
]

describe("ID tokens that are accepted", () => {
  it.each(named(accepted))("%s", async (_, { edit, options }) => {
    room = await openRoom(options)
    room.idp.faults.idToken = edit
    const identity = await room.redeem()
    expect(identity.issuer).toBe(room.idp.issuer)
    expect(identity.subject).not.toBe("")
  })

  it.each([
    ["RS256", "sha256"],
    ["ES256", "sha256"],
    ["EdDSA", "sha512"],
  ] as const)("E13 a right at_hash and c_hash under %s", async (algorithm, hash) => {
    room = await openRoom({ idp: { algorithm }, entry: { idTokenAlgorithms: [algorithm] } })
    const { idp } = room
    const login = idp.finishLogin()
    idp.faults.token = {
      json: (body) => {
        const accessToken = String(body.access_token)
        const claims = {
          iss: idp.issuer,
          sub: "alice",
          aud: idp.clientId,
          iat: seconds(),
          exp: seconds() + 60,
          nonce: login.nonce,
          at_hash: leftHalf(hash, accessToken),
          c_hash: leftHalf(hash, login.code),
        }
        return { ...body, id_token: idp.sign(claims) }
      },
    }
    expect((await room.redeem(login)).subject).toBe("alice")
  })

  it("E11 no nonce where the app sent none and that is admitted", async () => {
    room = await openRoom({ entry: { nonceOptional: true } })
    const { idp, provider } = room
    const login = idp.finishLogin()
    idp.faults.idToken = without("nonce")
    const redemption = {
      code: login.code,
      codeVerifier: login.code_verifier,
      redirectUri: login.redirect_uri,
    }
    expect((await provider.redeem(redemption)).subject).toBe("user-1")
  })

  it("keeps the claims about the user and none of the protocol's", async () => {
    room = await openRoom()
    const sources = { api: { endpoint: "https://api.example", access_token: "secret" } }
    room.idp.faults.idToken = setClaims({
      name: "Ada",
      sid: "sid-1",
      _claim_names: {},
      _claim_sources: sources,
    })
    const { profile, idpSid } = await room.redeem()
    expect(profile).toEqual({ name: "Ada" })
    expect(idpSid).toBe("sid-1")
  })
})

describe("userinfo", () => {
  const open = async () => {
    room = await openRoom({ entry: { fetchUserinfo: true } })
    return room
  }

  it("E15 adds the claims, with the token in the header only (oidcc-client-test-userinfo-bearer-header)", async () => {
    const { idp, redeem } = await open()
    const { profile, tokens } = await redeem(idp.finishLogin({ claims: { email: "ada@example.com" } }))
    expect(profile).toMatchObject({ email: "ada@example.com" })
    const call = idp.requests.find(({ endpoint }) => endpoint === "userinfo")
    expect(call?.headers.authorization).toBe(`Bearer ${tokens.access_token}`)
    expect(call?.url).toBe("/userinfo")
  })

  it.each([
    [
      "another sub (oidcc-client-test-userinfo-invalid-sub)",
      { json: () => ({ sub: "mallory" }) },
      "login_failed",
      "userinfo_sub_mismatch",
    ],
    ["no sub", { json: () => ({ name: "Ada" }) }, "login_failed", "userinfo_sub_mismatch"],
    [
      "HTML",
      { raw: "<html></html>", headers: { "content-type": "text/html" } },
      "idp_bad_response",
      "malformed",
    ],
    ["a list", { json: () => [{ sub: "user-1" }] }, "idp_bad_response", "malformed"],
    ["a redirect", { status: 302, headers: { location: "/elsewhere" } }, "idp_bad_response", "redirected"],
    ["an outage", { status: 503 }, "idp_unavailable", "http_status"],
  ] as const)("E15 refuses %s", async (_, fault, code, reason) => {
    const { idp, redeem } = await open()
    idp.faults.userinfo = fault
    expect(await failureOf(redeem())).toEqual({ code, reason, spent: true })
  })

  const signed = (edit: Record<string, unknown>, header = {}) => {
    const { idp } = room as Room
    const claims = { iss: idp.issuer, aud: idp.clientId, sub: "user-1", name: "Ada", ...edit }
    idp.faults.userinfo = { raw: idp.sign(claims, header), headers: { "content-type": "application/jwt" } }
  }

  it("E15 accepts a signed answer (oidcc-client-test-userinfo-signed)", async () => {
    const { redeem } = await open()
    signed({})
    expect((await redeem()).profile).toMatchObject({ name: "Ada" })
  })

  it.each([
    ["another iss", { iss: "https://other.example" }, {}],
    ["another aud", { aud: "other" }, {}],
    ["a broken signature", {}, { alg: "RS384" }],
    ["a logout token", { events: {} }, {}],
    ["another typ", {}, { typ: "at+jwt" }],
  ])("E15 refuses a signed answer with %s", async (_, claims, header) => {
    const { redeem } = await open()
    signed(claims, header)
    expect(await failureOf(redeem())).toMatchObject({ code: "login_failed", spent: true })
  })
})
