import { createHash, generateKeyPairSync } from "node:crypto"
import { afterEach, describe, expect, it } from "vitest"
import type { Identity, RefreshInput } from "../../src/provider/types.js"
import type { DraftToken, FakeGrant } from "../../src/testing/index.js"
import { failureOf, openRoom, type Room, type RoomOptions, redemptionOf } from "../support/provider-room.js"

let room: Room | undefined

afterEach(async () => {
  await room?.close()
  room = undefined
})

const LATER = 3_000
const stranger = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")

type Edit = (draft: DraftToken, login: Identity) => unknown

interface Row {
  name: string
  edit: Edit
  reason: string
  grant?: Partial<FakeGrant>
  /** Edits the login's own ID token. */
  atLogin?: Edit
  options?: RoomOptions
}

const set =
  (claims: Record<string, unknown>): Edit =>
  (draft) => {
    Object.assign(draft.claims, claims)
  }
const setHeader =
  (header: Record<string, unknown>): Edit =>
  (draft) => {
    Object.assign(draft.header, header)
  }
/** Seconds by which `iat` is moved. */
const moved =
  (seconds: number): Edit =>
  ({ claims }) => {
    claims.iat = Number(claims.iat) + seconds
  }

/** A login, and a refresh after most of an hour whose ID token is edited. */
async function refreshed({ grant, atLogin, options, edit }: Omit<Row, "name" | "reason">, later = LATER) {
  room = await openRoom({ ...options, idp: { refreshTokens: { rotation: "strict" }, ...options?.idp } })
  const { idp, provider } = room
  if (atLogin) idp.faults.idToken = (draft) => atLogin(draft, {} as Identity)
  const login = await room.redeem(
    idp.finishLogin({ authTime: 1_700_000_000, nonce: "n".repeat(43), ...grant }),
  )
  idp.faults.idToken = (draft) => edit(draft, login)
  room.advance(later)
  const input: RefreshInput = { tokens: login.tokens, subject: login.subject }
  return { login, input, provider, idp, outcome: () => provider.refresh(input) }
}

const others: Row[] = [
  {
    name: "another issuer (oidcc-client-test-refresh-token-invalid-issuer)",
    edit: set({ iss: "https://other.example/" }),
    reason: "id_token_iss_mismatch",
  },
  {
    name: "another sub (oidcc-client-test-refresh-token-invalid-sub)",
    edit: set({ sub: "mallory" }),
    reason: "id_token_sub_changed",
  },
  { name: "no sub", edit: set({ sub: undefined }), reason: "id_token_sub_invalid" },
  { name: "another audience", edit: set({ aud: "other-client" }), reason: "id_token_aud_mismatch" },
  {
    name: "one more audience, though a trusted one",
    edit: set({ aud: ["test-client", "api"], azp: "test-client" }),
    reason: "id_token_aud_changed",
    options: { entry: { trustedAudiences: ["api"] } },
  },
  {
    name: "one audience less",
    edit() {},
    reason: "id_token_aud_changed",
    atLogin: set({ aud: ["test-client", "api"], azp: "test-client" }),
    options: { entry: { trustedAudiences: ["api"] } },
  },
  {
    name: "no azp, where the login's token had one",
    edit() {},
    reason: "id_token_azp_changed",
    atLogin: set({ azp: "test-client" }),
  },
  { name: "another nonce", edit: set({ nonce: "m".repeat(43) }), reason: "id_token_nonce_changed" },
  { name: "a nonce that is no text", edit: set({ nonce: null }), reason: "id_token_nonce_changed" },
  {
    name: "another auth_time",
    edit: set({ auth_time: 1_700_000_001 }),
    reason: "id_token_auth_time_changed",
  },
  {
    name: "an auth_time behind the login, whose own is not known",
    edit(draft) {
      draft.claims.auth_time = draft.claims.iat
    },
    reason: "id_token_auth_time_changed",
    atLogin: set({ auth_time: undefined }),
  },
  { name: "an iat of the past", edit: moved(-700), reason: "id_token_iat_invalid" },
  { name: "an iat of the future", edit: moved(120), reason: "id_token_iat_invalid" },
  { name: "no iat", edit: set({ iat: undefined }), reason: "id_token_iat_invalid" },
  { name: "an exp of the past", edit: set({ exp: 1 }), reason: "id_token_expired" },
  {
    name: "the login's own token again",
    edit: (_, login) => login.tokens.id_token,
    reason: "id_token_iat_invalid",
  },
  {
    name: "another key's signature",
    edit(draft) {
      draft.key = stranger
    },
    reason: "id_token_signature_invalid",
  },
  {
    name: "alg none",
    edit: ({ claims }) => `${part({ alg: "none" })}.${part(claims)}.AAAA`,
    reason: "id_token_alg_refused",
  },
  {
    name: "a kid that the provider does not have",
    edit: setHeader({ kid: "made-up" }),
    reason: "id_token_key_unknown",
  },
  {
    name: "the typ of a logout token",
    edit: setHeader({ typ: "logout+jwt" }),
    reason: "id_token_header_refused",
  },
  { name: "text that is no token", edit: () => "id-token", reason: "id_token_malformed" },
  { name: "nothing at all as text", edit: () => "", reason: "id_token_malformed" },
  { name: "a wrong at_hash", edit: set({ at_hash: "A".repeat(22) }), reason: "id_token_hash_mismatch" },
  {
    name: "another organization",
    edit: set({ org_id: "org_b" }),
    reason: "id_token_organization_mismatch",
    atLogin: set({ org_id: "org_a" }),
    options: { entry: { organization: "org_a" } },
  },
]

describe("E16 an ID token of a refresh that does not continue the login", () => {
  it.each(others.map((row) => [row.name, row] as const))("E16 has %s", async (_, row) => {
    const { outcome, idp } = await refreshed(row)
    // The whole of it: nothing of the answer comes along.
    expect(await outcome()).toEqual({ outcome: "identity_changed", reason: row.reason })
    expect(idp.calls).toMatchObject({ refresh: 1, userinfo: 0 })
  })

  it("E16 has a nonce, where the login had none", async () => {
    room = await openRoom({ idp: { refreshTokens: {} }, entry: { nonceOptional: true } })
    const { idp, provider } = room
    idp.faults.idToken = ({ claims }) => {
      delete claims.nonce
    }
    const { code, code_verifier: codeVerifier, redirect_uri: redirectUri } = idp.finishLogin()
    const { tokens, subject } = await provider.redeem({ code, codeVerifier, redirectUri })
    idp.faults.idToken = ({ claims }) => {
      claims.nonce = "n".repeat(43)
    }
    expect(await provider.refresh({ tokens, subject })).toMatchObject({ reason: "id_token_nonce_changed" })
  })

  it("E16 is older than the login's, though fresh", async () => {
    const { outcome } = await refreshed({ edit: moved(-90) }, 0)
    expect(await outcome()).toEqual({ outcome: "identity_changed", reason: "id_token_older_than_stored" })
  })

  it("E16 is of another user than the session", async () => {
    const { provider, input } = await refreshed({ edit() {} })
    expect(await provider.refresh({ ...input, subject: "user-2" })).toEqual({
      outcome: "identity_changed",
      reason: "id_token_sub_changed",
    })
  })

  it("E16 is no text", async () => {
    const { outcome, idp } = await refreshed({ edit() {} })
    idp.faults.refresh = { json: (body) => ({ ...body, id_token: { sub: "user-1" } }) }
    expect(await outcome()).toEqual({ outcome: "identity_changed", reason: "id_token_malformed" })
  })

  it("E16 E17 is a logout token", async () => {
    const { outcome, idp, login } = await refreshed({ edit: () => room?.idp.logoutToken({}, { typ: "JWT" }) })
    expect(login.subject).toBe(idp.user.sub)
    expect(await outcome()).toEqual({ outcome: "identity_changed", reason: "id_token_not_an_id_token" })
  })
})

const same: Omit<Row, "reason">[] = [
  { name: "as the provider makes it (oidcc-client-test-refresh-token)", edit() {} },
  { name: "the login's nonce", edit: set({ nonce: "n".repeat(43) }) },
  { name: "no auth_time", edit: set({ auth_time: undefined }) },
  {
    name: "an auth_time before the login, whose own is not known",
    edit: set({ auth_time: 1_700_000_000 }),
    atLogin: set({ auth_time: undefined }),
  },
  { name: "its one audience in brackets", edit: set({ aud: ["test-client"] }) },
  { name: "an azp of ours, where the login's token had none", edit: set({ azp: "test-client" }) },
  { name: "a c_hash, since there is no code to compare it with", edit: set({ c_hash: "A".repeat(22) }) },
  {
    name: "an auth_time older than max_age, which was for the login",
    edit() {},
    grant: { authTime: Math.floor(Date.now() / 1000) },
    options: { entry: { maxAge: 300 } },
  },
  {
    name: "no acr, which was asked of the login",
    edit: set({ acr: undefined }),
    atLogin: set({ acr: "mfa" }),
    options: { entry: { authorizationParams: { acr_values: "mfa" } } },
  },
]

describe("E16 an ID token of a refresh that continues the login", () => {
  it.each(same.map((row) => [row.name, row] as const))("E16 has %s", async (_, row) => {
    const { outcome, login, provider } = await refreshed(row)
    const result = await outcome()
    if (result.outcome !== "refreshed") throw new Error(JSON.stringify(result))
    expect(result.tokens.id_token).not.toBe(login.tokens.id_token)
    const userinfo = await provider.userinfo(result.tokens.access_token, login.subject)
    expect(userinfo).toMatchObject({ sub: "user-1" })
    expect(room?.idp.requests.at(-1)?.headers.authorization).toBe(`Bearer ${result.tokens.access_token}`)
  })

  it("E16 E13 has a right at_hash", async () => {
    const { outcome, idp } = await refreshed({ edit() {} })
    idp.faults.refresh = {
      json(body) {
        const digest = createHash("sha256").update(String(body.access_token)).digest().subarray(0, 16)
        const claims = JSON.parse(
          Buffer.from(String(body.id_token).split(".")[1] ?? "", "base64url").toString(),
        )
        return { ...body, id_token: idp.sign({ ...claims, at_hash: digest.toString("base64url") }) }
      },
    }
    expect(await outcome()).toMatchObject({ outcome: "refreshed" })
  })

  it.each([
    [{ nonce: "n".repeat(43) }, "refreshed"],
    [{ nonce: "m".repeat(43) }, "identity_changed"],
    [{ auth_time: 1_700_000_000 }, "refreshed"],
    [{ auth_time: 1_700_000_001 }, "identity_changed"],
  ] as const)(
    "E16 remembers the login's nonce and auth_time past tokens without them: %j",
    async (claims, outcome) => {
      const { provider, input, idp } = await refreshed({
        edit: set({ nonce: undefined, auth_time: undefined }),
      })
      const first = await provider.refresh(input)
      if (first.outcome !== "refreshed") throw new Error(first.outcome)
      idp.faults.idToken = (draft) => void Object.assign(draft.claims, claims)
      expect(await provider.refresh({ ...input, tokens: first.tokens })).toMatchObject({ outcome })
    },
  )
})

describe("E16 nobody is logged out for what the user has not done", () => {
  it("E16 calls keys that cannot be fetched an outage, before and after the token is spent", async () => {
    const { provider, input, idp } = await refreshed({ edit() {} })
    idp.rotateKeys()
    idp.faults.jwks = { status: 500 }
    const outage = { code: "idp_unavailable", reason: "http_status" }
    expect(await failureOf(provider.refresh(input))).toEqual({ ...outage, spent: true })
    room?.advance(100_000)
    expect(await failureOf(provider.refresh(input))).toEqual({ ...outage, spent: false })
    expect(idp.calls.refresh).toBe(1)
  })

  it("E16 D5 calls a key id that may not be looked up just now an outage", async () => {
    const { provider, input, idp } = await refreshed({ edit() {} })
    idp.faults.idToken = ({ header }) => {
      header.kid = "made-up"
    }
    for (let i = 0; i < 3; i++) await failureOf(provider.redeem(redemptionOf(idp.finishLogin())))
    idp.faults = {}
    idp.rotateKeys()
    expect(await failureOf(provider.refresh(input))).toEqual({
      code: "idp_unavailable",
      reason: "key_refetch_held_back",
      spent: true,
    })
  })

  it.each([-700, -120, 700, 4_000])(
    "E16 calls a clock of ours that is wrong by %s s an outage",
    async (wrong) => {
      const idp = { now: () => Date.now() / 1000, refreshTokens: {} }
      const { provider, input } = await refreshed({ edit() {}, options: { idp } }, wrong)
      expect(await failureOf(provider.refresh(input))).toEqual({
        code: "idp_bad_response",
        reason: "clocks_differ",
        spent: true,
      })
    },
  )
})
