import { afterEach, describe, expect, it } from "vitest"
import type { EndpointFault } from "../../src/testing/index.js"
import { failureOf, openRoom, type Room, type RoomOptions } from "../support/provider-room.js"

let room: Room

afterEach(() => room.close())

async function open(options: RoomOptions = {}): Promise<Room> {
  room = await openRoom({ ...options, idp: { refreshTokens: {}, ...options.idp } })
  return room
}

const endpoint = (revocation_endpoint: unknown): RoomOptions => ({
  idp: { metadata: { revocation_endpoint } },
})

describe("the revocation of a refresh token (RFC 7009)", () => {
  it("ends it at the provider, as often as it is asked", async () => {
    const { idp, provider, redeem } = await open()
    const { tokens, subject } = await redeem()
    expect((await provider.refresh({ tokens, subject })).outcome).toBe("refreshed")
    const token = String(tokens.refresh_token)
    for (let i = 0; i < 2; i++) expect(await provider.revoke(token)).toBeUndefined()
    expect((await provider.refresh({ tokens, subject })).outcome).toBe("refused")
    const [sent, ...more] = idp.requests.filter((request) => request.endpoint === "revocation")
    expect(more).toHaveLength(1)
    expect(Object.fromEntries(new URLSearchParams(sent?.body))).toEqual({
      token,
      token_type_hint: "refresh_token",
      client_id: idp.clientId,
      client_secret: idp.clientSecret,
    })
  })

  it.each([
    ["the provider has no endpoint for it", endpoint(undefined)],
    ["revokeTokens is off", { entry: { revokeTokens: false } }],
  ])("is left out where %s", async (_, options) => {
    const { idp, provider } = await open(options)
    expect(await provider.revoke("rt")).toBeUndefined()
    expect(idp.calls.revocation).toBe(0)
  })

  it("asks for nothing at all where revokeTokens is off", async () => {
    const { idp, provider } = await open({ entry: { revokeTokens: false } })
    await provider.revoke("rt")
    expect(idp.requests).toEqual([])
  })

  it("finds Auth0's endpoint without being told", async () => {
    const { idp, provider, redeem } = await open({ idp: { issuerPath: "/" } })
    const { tokens, subject } = await redeem()
    const auth0 = { revocation_endpoint: undefined, mfa_challenge_endpoint: `${idp.issuer}mfa/challenge` }
    const second = await openRoom({
      entry: {
        issuer: idp.issuer,
        metadataUrl: `${idp.issuer}.well-known/openid-configuration`,
        clientId: idp.clientId,
        clientSecret: idp.clientSecret,
      },
    })
    idp.faults.discovery = { json: (body) => ({ ...body, ...auth0 }) }
    await second.provider.revoke(String(tokens.refresh_token))
    await second.close()
    expect(idp.calls.revocation).toBe(1)
    expect((await provider.refresh({ tokens, subject })).outcome).toBe("refused")
  })

  const error = (status: number, code: string): EndpointFault => ({ status, json: () => ({ error: code }) })

  it("takes Google's word for a token that has ended already", async () => {
    const { idp, provider } = await open()
    idp.faults.revocation = error(400, "invalid_token")
    expect(await provider.revoke("rt")).toBeUndefined()
  })

  it.each<[string, EndpointFault, string, string]>([
    ["a wrong secret", error(401, "invalid_client"), "idp_misconfigured", "invalid_client"],
    ["a wrong secret as 400", error(400, "invalid_client"), "idp_misconfigured", "invalid_client"],
    ["a token type", error(400, "unsupported_token_type"), "idp_bad_response", "http_status"],
    ["an outage", { status: 503, raw: "" }, "idp_unavailable", "http_status"],
    ["too many calls", { status: 429, raw: "" }, "idp_unavailable", "rate_limited"],
    ["a lost answer", { hangUp: "after" }, "idp_unavailable", "reset"],
    ["another status", { status: 202, raw: "" }, "idp_bad_response", "http_status"],
  ])("may be asked for again after %s", async (_, fault, code, reason) => {
    const { idp, provider } = await open()
    idp.faults.revocation = fault
    expect(await failureOf(provider.revoke("rt"))).toEqual({ code, reason, spent: false })
    expect(idp.calls.revocation).toBe(1)
  })
})

describe("the revocation endpoint is held to what every endpoint is held to", () => {
  it("D2 follows no redirect of it", async () => {
    const { idp, provider } = await open()
    idp.faults.revocation = { status: 307, headers: { location: `${idp.issuer}/oauth/token` } }
    expect(await failureOf(provider.revoke("rt"))).toMatchObject({ reason: "redirected" })
    expect(idp.calls.token).toBe(0)
  })

  it.each([
    "http://idp.example/revoke",
    "ftp://idp.example/revoke",
    "https://user:pw@idp.example/revoke",
    "https://idp.example/revoke#fragment",
    "/revoke",
    7,
  ])("D2 A8 refuses %j", async (url) => {
    const { provider } = await open(endpoint(url))
    const refusal = { code: "idp_misconfigured", reason: "endpoint_refused", spent: false }
    expect(await failureOf(provider.revoke("rt"))).toEqual(refusal)
  })

  it.each(["https://169.254.169.254/revoke", "https://10.1.2.3/revoke", "https://[::ffff:10.1.2.3]/revoke"])(
    "D3 sends no token to %s",
    async (url) => {
      const { provider } = await open(endpoint(url))
      expect(await failureOf(provider.revoke("rt"))).toMatchObject({ reason: "blocked_address" })
    },
  )

  it("D3 sends no token to a host that is not on the list", async () => {
    const { provider } = await open({
      ...endpoint("https://elsewhere.example/revoke"),
      entry: { allowedEndpointHosts: ["oauth2.example"] },
    })
    expect(await failureOf(provider.revoke("rt"))).toMatchObject({ reason: "endpoint_refused" })
  })

  it.each([
    ["moves to another host", undefined],
    ["appears on another host", { revocation_endpoint: undefined }],
  ])("D4 sends no token to an endpoint that %s", async (_, metadata) => {
    const { idp, provider, advance } = await open({ idp: { metadata: { ...metadata } } })
    await provider.config()
    const moved = `http://localhost:${new URL(idp.issuer).port}/oauth/revoke`
    idp.faults.discovery = { json: (body) => ({ ...body, revocation_endpoint: moved }) }
    advance(4_000)
    await provider.config()
    await expect.poll(() => room.events).toContainEqual({ type: "idp.metadata.changed", provider: "idp" })
    await provider.revoke("rt")
    const hosts = idp.requests
      .filter((one) => one.endpoint === "revocation")
      .map(({ headers }) => headers.host)
    expect(hosts).toEqual(metadata ? [] : [new URL(idp.issuer).host])
  })
})
