import { inspect } from "node:util"
import { afterEach, describe, expect, it } from "vitest"
import type { EndpointFault } from "../../src/testing/index.js"
import { failureOf, openRoom, type Room, type RoomOptions } from "../support/provider-room.js"

let room: Room

afterEach(() => room.close())

/** A finished login whose tokens can be refreshed. */
async function loggedIn(options: RoomOptions = {}, scope = "openid email api") {
  room = await openRoom({ ...options, idp: { refreshTokens: { rotation: "strict" }, ...options.idp } })
  const { tokens, subject } = await room.redeem(room.idp.finishLogin({ scope }))
  const refresh = async (more: { scope?: string; audience?: string } = {}) => {
    const result = await room.provider.refresh({ tokens, subject, ...more })
    if (result.outcome !== "refreshed") throw new Error(result.outcome)
    return result.tokens
  }
  return { ...room, tokens, subject, refresh }
}

const answer = (fields: Record<string, unknown>): EndpointFault => ({
  json: (body) => ({ ...body, ...fields }),
})
const sentFields = ({ idp }: Room) =>
  Object.fromEntries(
    new URLSearchParams(idp.requests.filter(({ endpoint }) => endpoint === "refresh").at(-1)?.body),
  )

describe("H4 what the provider left out is as it was", () => {
  it("H4 takes the successor of the refresh token", async () => {
    const { tokens, refresh } = await loggedIn()
    const fresh = await refresh()
    expect(fresh.refresh_token).toMatch(/^rt-/)
    expect(fresh.refresh_token).not.toBe(tokens.refresh_token)
    expect(fresh.access_token).not.toBe(tokens.access_token)
  })

  it.each([undefined, null])("H4 keeps the refresh token where the answer has %j", async (refreshToken) => {
    const { idp, tokens, refresh } = await loggedIn()
    idp.faults.refresh = answer({ refresh_token: refreshToken })
    expect((await refresh()).refresh_token).toBe(tokens.refresh_token)
  })

  it.each([undefined, null])("H4 keeps the ID token where the answer has %j", async (idToken) => {
    const { idp, tokens, refresh } = await loggedIn()
    idp.faults.refresh = answer({ id_token: idToken })
    const fresh = await refresh()
    expect(fresh).toMatchObject({ id_token: tokens.id_token, login: tokens.login })
    expect(idp.calls.jwks).toBe(1)
  })

  it("H4 takes the ID token that is there, and the mark of the login along", async () => {
    const { advance, tokens, refresh } = await loggedIn()
    advance(100)
    const fresh = await refresh()
    expect(fresh.id_token).not.toBe(tokens.id_token)
    expect(fresh.login).toEqual({ nonce: expect.any(String) })
    expect(fresh.login).toEqual(tokens.login)
  })

  it("H4 takes the lifetime of the new access token, and none where there is none", async () => {
    const { idp, advance, tokens, refresh } = await loggedIn({
      idp: { accessTokenLifetime: 300, refreshTokens: {} },
    })
    advance(1_000)
    expect((await refresh()).expires_at).toBeGreaterThanOrEqual(Number(tokens.expires_at) + 1_000)
    idp.faults.refresh = answer({ expires_in: undefined })
    expect(await refresh()).not.toHaveProperty("expires_at")
  })

  it.each([
    ["what the answer says", {}, { scope: "openid" }, "openid"],
    ["that of the login where nothing was said or asked", {}, { scope: undefined }, "openid email api"],
    ["what was asked where nothing was said", { scope: "api" }, { scope: undefined }, "api"],
    ["what the answer says, whatever was asked", { scope: "api email" }, { scope: "email" }, "email"],
  ])("H4 keeps as scope %s", async (_, wanted, said, kept) => {
    const { idp, refresh } = await loggedIn()
    idp.faults.refresh = answer(said)
    expect((await refresh(wanted)).scope).toBe(kept)
  })

  it("H4 asks for what is wanted, once, as the client that it is", async () => {
    const { idp, tokens, refresh } = await loggedIn()
    await refresh()
    const { clientId: client_id, clientSecret: client_secret } = idp
    const plain = {
      grant_type: "refresh_token",
      refresh_token: tokens.refresh_token,
      client_id,
      client_secret,
    }
    expect(sentFields(room)).toEqual(plain)
    await room.provider.refresh({ tokens, subject: "user-1", scope: "api", audience: "https://api.example" })
    expect(sentFields(room)).toEqual({ ...plain, scope: "api", audience: "https://api.example" })
    expect(idp.calls.refresh).toBe(2)
  })

  it("H4 does nothing without a refresh token", async () => {
    const { idp, provider, tokens } = await loggedIn()
    const { refresh_token: _, ...rest } = tokens
    expect(await failureOf(provider.refresh({ tokens: rest, subject: "user-1" }))).toEqual({
      code: "idp_misconfigured",
      reason: "refresh_token_missing",
      spent: false,
    })
    expect(idp.calls.refresh).toBe(0)
  })
})

describe("H4 D9 refusals", () => {
  it.each([400, 401, 403, 200])("H4 D9 only invalid_grant is about the grant: as %s", async (status) => {
    const { idp, provider, tokens } = await loggedIn()
    idp.faults.refresh = { status, json: () => ({ error: "invalid_grant" }) }
    expect(await provider.refresh({ tokens, subject: "user-1" })).toEqual({ outcome: "refused" })
  })

  it("H4 a refresh token that was used, was revoked, or whose user took the consent back", async () => {
    const { idp, provider, tokens, refresh } = await loggedIn()
    const second = await refresh()
    expect(await provider.refresh({ tokens, subject: "user-1" })).toEqual({ outcome: "refused" })
    expect(await provider.refresh({ tokens: second, subject: "user-1" })).toEqual({ outcome: "refused" })
    const other = await room.redeem(idp.finishLogin({ sub: "ada" }))
    idp.revokeUser("ada")
    expect(await provider.refresh(other)).toEqual({ outcome: "refused" })
  })

  const error = (status: number, code: string): EndpointFault => ({ status, json: () => ({ error: code }) })

  it.each<[string, EndpointFault, string, string, boolean]>([
    ["a reset before the answer", { hangUp: "before" }, "idp_unavailable", "reset", true],
    ["a lost answer", { hangUp: "after" }, "idp_unavailable", "reset", true],
    ["429", { status: 429 }, "idp_unavailable", "rate_limited", false],
    ["429 with an error", error(429, "too_many_requests"), "idp_unavailable", "rate_limited", false],
    ["500", { status: 500, raw: "" }, "idp_unavailable", "http_status", true],
    ["503", { status: 503, raw: "<html>" }, "idp_unavailable", "http_status", true],
    ["invalid_grant as 503", error(503, "invalid_grant"), "idp_unavailable", "http_status", true],
    ["invalid_client", error(401, "invalid_client"), "idp_misconfigured", "invalid_client", false],
    ["invalid_client as 400", error(400, "invalid_client"), "idp_misconfigured", "invalid_client", false],
    ["unauthorized_client", error(400, "unauthorized_client"), "idp_misconfigured", "invalid_client", false],
    ["a bare 401", { status: 401, raw: "" }, "idp_misconfigured", "invalid_client", false],
    ["invalid_scope", error(400, "invalid_scope"), "idp_bad_response", "token_request_rejected", false],
    ["an error as 200", error(200, "invalid_scope"), "idp_bad_response", "token_request_rejected", true],
    [
      "temporarily_unavailable",
      error(400, "temporarily_unavailable"),
      "idp_unavailable",
      "http_status",
      false,
    ],
    ["a bare 400", { status: 400, raw: "" }, "idp_bad_response", "http_status", true],
    ["a page of a firewall", { status: 403, raw: "<html>" }, "idp_bad_response", "http_status", true],
    ["a redirect", { status: 307, headers: { location: "/x" } }, "idp_bad_response", "redirected", true],
    ["HTML", { raw: "<html>" }, "idp_bad_response", "token_answer_malformed", true],
    ["nothing", { raw: "" }, "idp_bad_response", "token_answer_malformed", true],
    ["a name twice", { raw: '{"a":1,"a":2}' }, "idp_bad_response", "token_answer_malformed", true],
    ["no access token", answer({ access_token: "" }), "idp_bad_response", "token_answer_malformed", true],
    [
      "an empty refresh token",
      answer({ refresh_token: "" }),
      "idp_bad_response",
      "token_answer_malformed",
      true,
    ],
    [
      "a foreign token type",
      answer({ token_type: "mac" }),
      "idp_bad_response",
      "token_type_unsupported",
      true,
    ],
    ["more than 1 MiB", { raw: `"${"a".repeat(1024 * 1024)}"` }, "idp_bad_response", "too_large", true],
  ])("H4 D9 %s says whether the token may be spent", async (_, fault, code, reason, spent) => {
    const { idp, provider, tokens } = await loggedIn()
    idp.faults.refresh = fault
    expect(await failureOf(provider.refresh({ tokens, subject: "user-1" }))).toEqual({ code, reason, spent })
    expect(idp.calls.refresh).toBe(1)
  })

  it("H4 D12 passes on how long the provider wants to be left alone, and at most a minute of it", async () => {
    const { idp, provider, tokens } = await loggedIn()
    for (const [status, asked, seconds] of [
      [429, "7", 7],
      [503, "3600", 60],
    ] as const) {
      idp.faults.refresh = { ...error(status, "too_many_requests"), headers: { "retry-after": asked } }
      await expect(provider.refresh({ tokens, subject: "user-1" })).rejects.toMatchObject({
        retryAfter: seconds,
      })
    }
  })

  it("H4 D12 nobody who listens cannot have spent it", async () => {
    const { idp, provider, tokens } = await loggedIn()
    await idp.close()
    const refused = () => failureOf(provider.refresh({ tokens, subject: "user-1" }))
    // The pool may take a moment to see that its connection is closed.
    await expect.poll(refused).toEqual({ code: "idp_unavailable", reason: "connect", spent: false })
  })

  it("H4 GR2 puts no token into errors and events", async () => {
    const { idp, provider, tokens } = await loggedIn()
    const caught: unknown[] = []
    for (const fault of [
      error(400, "canary-text"),
      { status: 400, raw: "canary-text" },
      { status: 500, raw: "canary-text" },
    ]) {
      idp.faults.refresh = fault
      await provider.refresh({ tokens, subject: "user-1" }).catch((thrown: unknown) => caught.push(thrown))
      idp.faults.revocation = fault
      await provider.revoke(String(tokens.refresh_token)).catch((thrown: unknown) => caught.push(thrown))
    }
    expect(caught).toHaveLength(6)
    const shown = inspect([caught, room.events], { depth: 9, showHidden: true })
    const { refresh_token: refreshToken = "", access_token: accessToken, id_token: idToken } = tokens
    for (const secret of [refreshToken, accessToken, idToken, idp.clientSecret, "canary-text"])
      expect(shown).not.toContain(secret)
  })
})

describe("userinfo behind a login", () => {
  it("gives the claims of the user, and none of the protocol's", async () => {
    const { idp, provider } = await loggedIn()
    const { tokens } = await room.redeem(idp.finishLogin({ sub: "ada", claims: { name: "Ada", sid: "s" } }))
    expect(await provider.userinfo(tokens.access_token, "ada")).toEqual({ sub: "ada", name: "Ada" })
  })

  it.each([
    ["an access token that has ended", { status: 401 }, "idp_bad_response", "userinfo_unauthorized"],
    ["another sub", { json: () => ({ sub: "mallory" }) }, "idp_bad_response", "userinfo_sub_mismatch"],
    ["HTML", { raw: "<html>" }, "idp_bad_response", "malformed"],
    ["an outage", { status: 503 }, "idp_unavailable", "http_status"],
    ["a lost answer", { hangUp: "after" }, "idp_unavailable", "reset"],
  ] as const)("says of %s what it is, and that it may be asked again", async (_, fault, code, reason) => {
    const { idp, provider, tokens } = await loggedIn()
    idp.faults.userinfo = fault
    expect(await failureOf(provider.userinfo(tokens.access_token, "user-1"))).toEqual({
      code,
      reason,
      spent: false,
    })
  })

  it("knows the provider's own end of an access token", async () => {
    const { provider, tokens, advance } = await loggedIn({ idp: { accessTokenLifetime: 60 } })
    advance(61)
    const failure = await failureOf(provider.userinfo(tokens.access_token, "user-1"))
    expect(failure).toMatchObject({ reason: "userinfo_unauthorized" })
  })

  it("needs an endpoint", async () => {
    const { provider, tokens } = await loggedIn({ idp: { metadata: { userinfo_endpoint: undefined } } })
    expect(await failureOf(provider.userinfo(tokens.access_token, "user-1"))).toMatchObject({
      code: "idp_misconfigured",
      reason: "endpoint_missing",
    })
  })
})
