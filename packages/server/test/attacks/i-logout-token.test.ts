import { createPublicKey, createSecretKey, generateKeyPairSync, type KeyObject } from "node:crypto"
import { afterEach, describe, expect, it } from "vitest"
import { signCompact } from "../../src/testing/provider-keys.js"
import { failureOf, openRoom, type Room, type RoomOptions } from "../support/provider-room.js"

let room: Room

afterEach(() => room.close())

async function open(options: RoomOptions = {}): Promise<Room> {
  room = await openRoom(options)
  return room
}

type Json = Record<string, unknown>

const EVENT = "http://schemas.openid.net/event/backchannel-logout"
const now = () => Math.floor(Date.now() / 1000)
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")
const partsOf = (token: string): Json[] =>
  token.split(".", 2).map((text) => JSON.parse(Buffer.from(text, "base64url").toString()))
const stranger = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey

/** The same token by another key, whatever its header says. */
function signedBy(token: string, key: KeyObject, header: Json = {}): string {
  const [head, claims] = partsOf(token)
  return signCompact({ ...head, ...header }, claims, key)
}

async function refusalOf(token: string, reason: string) {
  const failure = await failureOf(room.provider.verifyLogoutToken(token))
  expect(failure).toEqual({ code: "logout_failed", reason, spent: false })
}

describe("I4 signatures", () => {
  it.each(["none", "None", "", undefined, ["RS256"]])(
    "I4 refuses alg %j (oidcc-client-test-rp-backchannel-rpinitlogout-alg-none)",
    async (alg) => {
      const { idp } = await open()
      const [, claims] = partsOf(idp.logoutToken())
      await refusalOf(`${part({ alg })}.${part(claims)}.AAAA`, "logout_token_alg_refused")
    },
  )

  it.each([
    ["ES256", "RS256"],
    ["RS256", "ES256"],
    ["EdDSA", "RS256"],
  ] as const)(
    "I4 refuses %s by a published key where %s is configured (oidcc-client-test-rp-backchannel-rpinitlogout-wrong-alg)",
    async (algorithm, configured) => {
      const { idp } = await open({ idp: { algorithm }, entry: { idTokenAlgorithms: [configured] } })
      await refusalOf(idp.logoutToken(), "logout_token_alg_refused")
    },
  )

  it("I4 refuses another key's signature, a broken one, and none", async () => {
    const { idp } = await open()
    const token = idp.logoutToken()
    await refusalOf(signedBy(token, stranger), "logout_token_signature_invalid")
    await refusalOf(token.slice(0, -42), "logout_token_signature_invalid")
    await refusalOf(token.slice(0, token.lastIndexOf(".") + 1), "logout_token_malformed")
  })

  it.each([
    ["RS256", "logout_token_alg_refused"],
    ["HS256", "logout_token_signature_invalid"],
  ])(
    "I4 refuses the published RSA key as an HS256 secret where %s is configured",
    async (configured, reason) => {
      const { idp } = await open({ entry: { idTokenAlgorithms: [configured] } })
      const { keys } = await (await fetch(`${idp.issuer}/.well-known/jwks.json`)).json()
      const pem = createPublicKey({ key: keys[0], format: "jwk" }).export({ type: "spki", format: "pem" })
      const forged = signedBy(idp.logoutToken(), createSecretKey(Buffer.from(pem)), { alg: "HS256" })
      await refusalOf(forged, reason)
    },
  )

  it("I4 takes HS256 by the client secret where that is configured", async () => {
    const { idp, provider } = await open({ entry: { idTokenAlgorithms: ["HS256"] } })
    const token = signedBy(idp.logoutToken(), createSecretKey(Buffer.from(idp.clientSecret)), {
      alg: "HS256",
    })
    expect(await provider.verifyLogoutToken(token)).toMatchObject({ sub: "user-1" })
  })

  it.each(["", "text", "a.b", "a.b.c", "a.b.c.d", "....", " "])("I4 refuses %j", async (text) => {
    await open()
    await refusalOf(text, "logout_token_malformed")
    expect(room.idp.calls.jwks).toBe(0)
  })

  it("I4 refuses 16 KiB and more before any cryptography", async () => {
    const { idp } = await open()
    await refusalOf(idp.logoutToken({ more: "m".repeat(16 * 1024) }), "logout_token_malformed")
    expect(idp.calls.jwks).toBe(0)
  })

  it("I4 D5 looks up a key id that it does not know, as often as it may", async () => {
    const { idp, provider } = await open()
    await provider.verifyLogoutToken(idp.logoutToken())
    idp.rotateKeys()
    expect(await provider.verifyLogoutToken(idp.logoutToken())).toMatchObject({ sub: "user-1" })
    expect(idp.calls.jwks).toBe(2)
    const made = () => idp.logoutToken({}, { kid: `made-up-${Math.random()}` })
    for (let i = 0; i < 2; i++) await refusalOf(made(), "logout_token_key_unknown")
    const heldBack = { code: "idp_unavailable", reason: "key_refetch_held_back", spent: false }
    for (let i = 0; i < 5; i++) expect(await failureOf(provider.verifyLogoutToken(made()))).toEqual(heldBack)
    expect(idp.calls.jwks).toBe(4)
    room.advance(31)
    await refusalOf(idp.logoutToken({}, { kid: "made-up" }), "logout_token_key_unknown")
    expect(idp.calls.jwks).toBe(5)
  })

  it("I4 D5 a stranger's made-up key ids leave the logins their own look-ups", async () => {
    const { idp, provider, redeem } = await open()
    await redeem()
    for (let i = 0; i < 9; i++) {
      const forged = signedBy(idp.logoutToken(), stranger, { kid: `made-up-${i}` })
      await failureOf(provider.verifyLogoutToken(forged))
    }
    idp.rotateKeys()
    expect((await redeem()).subject).toBe("user-1")
  })

  it("I4 says that the provider's keys are out of reach, not that the token is bad", async () => {
    const { idp, provider } = await open()
    idp.faults.jwks = { status: 503 }
    expect(await failureOf(provider.verifyLogoutToken(idp.logoutToken()))).toEqual({
      code: "idp_unavailable",
      reason: "http_status",
      spent: false,
    })
  })
})

/** Claims that a good token would not have, and what is said of each. */
const bad: [string, Json | (() => Json), string, RoomOptions?][] = [
  [
    "I5 another iss (oidcc-client-test-rp-backchannel-rpinitlogout-wrong-iss)",
    { iss: "https://other.example/" },
    "iss_mismatch",
  ],
  ["I5 no iss", { iss: undefined }, "iss_mismatch"],
  [
    "I5 another aud (oidcc-client-test-rp-backchannel-rpinitlogout-wrong-aud)",
    { aud: "other" },
    "aud_mismatch",
  ],
  ["I5 no aud", { aud: undefined }, "aud_mismatch"],
  ["I5 a stranger beside us", { aud: ["test-client", "stranger"], azp: "test-client" }, "aud_mismatch"],
  [
    "I5 two audiences without azp",
    { aud: ["test-client", "api"] },
    "azp_mismatch",
    { entry: { trustedAudiences: ["api"] } },
  ],
  ["I5 another azp", { azp: "other" }, "azp_mismatch"],
  ["I5 no iat", { iat: undefined }, "iat_invalid"],
  ["I5 an iat that is text", () => ({ iat: String(now()) }), "iat_invalid"],
  ["I5 an iat of the future", () => ({ iat: now() + 90 }), "iat_invalid"],
  ["I5 an iat older than ten minutes", () => ({ iat: now() - 690 }), "iat_invalid"],
  ["I5 no exp", { exp: undefined }, "exp_invalid"],
  ["I5 an exp that is text", () => ({ exp: String(now() + 60) }), "exp_invalid"],
  ["I5 an exp of more than two minutes ago", () => ({ iat: now() - 200, exp: now() - 125 }), "expired"],
  ["I5 an nbf of the future", () => ({ nbf: now() + 90 }), "nbf_invalid"],
  [
    "I6 no events (oidcc-client-test-rp-backchannel-rpinitlogout-no-event)",
    { events: undefined },
    "events_invalid",
  ],
  [
    "I6 another event (oidcc-client-test-rp-backchannel-rpinitlogout-wrong-event)",
    { events: { "http://schemas.openid.net/event/other": {} } },
    "events_invalid",
  ],
  ["I6 events in a list", { events: [EVENT] }, "events_invalid"],
  ["I6 events as text", { events: EVENT }, "events_invalid"],
  ["I6 events that are null", { events: null }, "events_invalid"],
  ["I6 the event as true", { events: { [EVENT]: true } }, "events_invalid"],
  ["I6 the event as null", { events: { [EVENT]: null } }, "events_invalid"],
  ["I6 the event as a list", { events: { [EVENT]: [] } }, "events_invalid"],
  ["I6 a nonce (oidcc-client-test-rp-backchannel-rpinitlogout-with-nonce)", { nonce: "n" }, "nonce_present"],
  ["I6 a nonce that is null", { nonce: null }, "nonce_present"],
  ["I6 neither sub nor sid", { sub: undefined }, "sub_and_sid_missing"],
  ["I6 an empty sub", { sub: "" }, "sub_invalid"],
  ["I6 a sub that is no text, beside a sid", { sub: 7, sid: "s" }, "sub_invalid"],
  ["I6 an empty sid", { sid: "" }, "sid_invalid"],
  ["I6 a sid that is no text, beside a sub", { sid: ["s"] }, "sid_invalid"],
  ["I6 a sid that no store could keep", { sid: "s\0" }, "sid_invalid"],
  ["I6 a sub that no store could keep", { sub: "s\0" }, "sub_invalid"],
  ["I6 no jti", { jti: undefined }, "jti_invalid"],
  ["I6 an empty jti", { jti: "" }, "jti_invalid"],
  ["I6 a jti of 256 characters", { jti: "j".repeat(256) }, "jti_invalid"],
  ["I6 a jti that is no text", { jti: 7 }, "jti_invalid"],
]

const good: [string, () => Json, RoomOptions?][] = [
  // As the suite sends it: `sub`, `sid`, two minutes, a claim that nobody knows, and no `typ`.
  ["I5 (oidcc-client-test-rp-backchannel-rpinitlogout)", () => ({ sid: "s", unknown: { claim: 1 } })],
  ["I5 our aud in brackets", () => ({ aud: ["test-client"] })],
  [
    "I5 a trusted audience beside us",
    () => ({ aud: ["test-client", "api"], azp: "test-client" }),
    { entry: { trustedAudiences: ["api"] } },
  ],
  ["I5 an exp of less than two minutes ago", () => ({ iat: now() - 200, exp: now() - 110 })],
  ["I5 clocks that differ by less than the skew", () => ({ iat: now() + 50 })],
  ["I5 an iat of ten minutes ago", () => ({ iat: now() - 600 })],
  ["I6 a sub alone", () => ({})],
  ["I6 an event that says more, among others", () => ({ events: { [EVENT]: { more: 1 }, other: 7 } })],
  ["I6 a jti of 255 characters", () => ({ jti: "j".repeat(255) })],
]

describe("I5 I6 claims", () => {
  it.each(bad)("%s is refused", async (_, claims, reason, options) => {
    const { idp } = await open(options)
    await refusalOf(
      idp.logoutToken(typeof claims === "function" ? claims() : claims),
      `logout_token_${reason}`,
    )
  })

  it.each(good)("%s is accepted", async (_, claims, options) => {
    const { idp, provider } = await open(options)
    const token = idp.logoutToken(claims(), { typ: undefined })
    const { jti, sub, sid, iat, exp } = partsOf(token)[1] ?? {}
    expect(await provider.verifyLogoutToken(token)).toEqual({ jti, sub, sid, iat, exp })
  })

  it("I6 a sid alone is accepted", async () => {
    const { idp, provider } = await open()
    const party = await provider.verifyLogoutToken(idp.logoutToken({ sub: undefined, sid: "s" }))
    expect(party).toMatchObject({ sub: undefined, sid: "s" })
  })
})

describe("I7 typ", () => {
  it.each([undefined, "JWT", "jwt", "logout+jwt", "Logout+JWT", "application/logout+jwt", "APPLICATION/JWT"])(
    "I7 takes %j",
    async (typ) => {
      const { idp, provider } = await open()
      expect(await provider.verifyLogoutToken(idp.logoutToken({}, { typ }))).toMatchObject({ sub: "user-1" })
    },
  )

  it.each(["at+jwt", "dpop+jwt", "secevent+jwt", "logout", "application/", "", null, 1, ["logout+jwt"]])(
    "I7 refuses %j",
    async (typ) => {
      const { idp } = await open()
      await refusalOf(idp.logoutToken({}, { typ }), "logout_token_header_refused")
    },
  )

  it.each([{ crit: ["exp"] }, { b64: true }, { zip: "DEF" }, { enc: "A256GCM" }, { cty: "JWT" }, { kid: 7 }])(
    "I7 refuses the header %j",
    async (header) => {
      const { idp } = await open()
      await refusalOf(idp.logoutToken({}, header), "logout_token_header_refused")
    },
  )
})

describe("E17 one kind of token is not the other", () => {
  it("E17 refuses an ID token as a logout token, with a nonce or without", async () => {
    const { idp, provider, redeem } = await open({ idp: { refreshTokens: {} } })
    const { tokens, subject } = await redeem(idp.finishLogin({ claims: { sid: "s", jti: "j" } }))
    await refusalOf(tokens.id_token, "logout_token_events_invalid")
    const result = await provider.refresh({ tokens, subject })
    if (result.outcome !== "refreshed") throw new Error(result.outcome)
    await refusalOf(result.tokens.id_token, "logout_token_events_invalid")
  })

  it("E17 refuses an ID token that was given an event, for its nonce", async () => {
    const { idp, redeem } = await open()
    const { tokens } = await redeem()
    const [, claims] = partsOf(tokens.id_token)
    await refusalOf(idp.sign({ ...claims, jti: "j", events: { [EVENT]: {} } }), "logout_token_nonce_present")
  })

  it.each([undefined, "JWT", "logout+jwt"])(
    "E17 refuses a logout token of typ %j as an ID token",
    async (typ) => {
      const { idp, redeem } = await open()
      const login = idp.finishLogin()
      idp.faults.idToken = () => idp.logoutToken({ nonce: login.nonce }, { typ })
      expect(await failureOf(redeem(login))).toEqual({
        code: "login_failed",
        reason: typ === "logout+jwt" ? "id_token_header_refused" : "id_token_not_an_id_token",
        spent: true,
      })
    },
  )
})

describe("what the provider says of logout tokens", () => {
  it.each([
    [true, true],
    [false, false],
    [undefined, false],
    ["true", false],
  ])("backchannel_logout_supported %j is %s", async (backchannel_logout_supported, announced) => {
    const { provider } = await open({ idp: { metadata: { backchannel_logout_supported } } })
    expect(await provider.announcesLogout()).toBe(announced)
  })
})
