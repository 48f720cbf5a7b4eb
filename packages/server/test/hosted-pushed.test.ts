import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { afterEach, describe, expect, it } from "vitest"
import type { PkceServerOptions } from "../src/config/options.js"
import { type Hosted, startHosted, targetOf } from "./support/hosted.js"
import { backOf, type HostedRoom, handoffOf, openHosted } from "./support/hosted-room.js"
import { running } from "./support/mounts.js"

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

describe("with a real provider", () => {
  async function open(options: Parameters<typeof startHosted>[0]): Promise<Hosted> {
    const hosted = await startHosted(options)
    closing.push(hosted.close)
    return hosted
  }

  /** A whole login; what the browser brought to the provider. */
  async function logIn(hosted: Hosted): Promise<URLSearchParams> {
    const login = await hosted.start({ login_hint: "ada@example.com", ui_locales: "de en" })
    const browser = hosted.browser()
    const page = await browser.open(login.authorize_url)
    const handoff = targetOf(page).searchParams.get("handoff")
    const { login_id, verifier } = login
    const { status, body } = await hosted.post("/redeem", { login_id, handoff, code_verifier: verifier })
    expect([status, body.user_info?.idp_sub]).toEqual([200, "ada"])
    const url = browser.visited.find((visited) => visited.startsWith(`${hosted.provider.issuer}/auth?`))
    return new URL(String(url)).searchParams
  }

  const PLAIN = [
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "login_hint",
    "nonce",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "ui_locales",
  ]

  it("pushes the request where that is offered, and the browser carries its name alone", async () => {
    const query = await logIn(await open({}))
    expect([...query.keys()].sort()).toEqual(["client_id", "request_uri"])
    expect(query.get("request_uri")).toMatch(/^urn:ietf:params:oauth:request_uri:/)
  })

  it("sends it by the browser where that is not", async () => {
    const query = await logIn(await open({ provider: { pushed: false } }))
    expect([...query.keys()].sort()).toEqual(PLAIN)
    expect(query.get("code_challenge_method")).toBe("S256")
    expect([query.get("login_hint"), query.get("ui_locales")]).toEqual(["ada@example.com", "de en"])
  })

  it("pushes where the provider demands it, as FAPI does", async () => {
    await logIn(await open({ provider: { requirePushed: true } }))
  })

  it("pushes as a client with a key", async () => {
    const query = await logIn(await open({ client: (provider) => provider.keyOptions() }))
    expect([...query.keys()].sort()).toEqual(["client_id", "request_uri"])
  })

  it.each([
    [true, ["client_id", "request_uri"]],
    [false, ["client_id", "request", "response_type", "scope"]],
  ])("signs the request where that is configured (pushed: %s)", async (pushed, names) => {
    const hosted = await open({
      provider: { pushed, requireSigned: true },
      client: (provider) => ({ ...provider.keyOptions(), signedRequests: true }),
    })
    const query = await logIn(hosted)
    expect([...query.keys()].sort()).toEqual(names)
    if (pushed) return
    const [header, claims] = String(query.get("request"))
      .split(".")
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, "base64url").toString()))
    expect(header).toEqual({ alg: "ES256", typ: "oauth-authz-req+jwt", kid: "client-key" })
    expect(claims).toMatchObject({ iss: "private_key_jwt", aud: hosted.provider.issuer })
    expect(claims.exp - claims.iat).toBe(300)
    expect(claims).not.toHaveProperty("sub")
    expect(Object.keys(claims)).toEqual(expect.arrayContaining([...PLAIN, "jti"]))
  })

  it("a provider that demands a signed request refuses one that is not, and nothing comes back", async () => {
    const hosted = await open({
      provider: { pushed: false, requireSigned: true },
      client: (provider) => provider.keyOptions(),
    })
    const login = await hosted.start()
    const page = await hosted.browser().open(login.authorize_url)
    expect(targetOf(page).searchParams.get("error")).toBe("server_error")
  })

  it("what the team has fixed no app can change", async () => {
    const authorizationParams = { login_hint: "fixed@example.com", ui_locales: "en", acr_values: "0" }
    const hosted = await open({ provider: { pushed: false }, options: { authorizationParams } })
    const login = await hosted.start({ login_hint: "other@example.com", ui_locales: "fr" })
    const { headers } = await hosted.browser().visit(login.authorize_url)
    const query = new URL(String(headers.get("location"))).searchParams
    for (const [name, value] of Object.entries(authorizationParams))
      expect(query.getAll(name)).toEqual([value])
  })
})

describe("a push that fails", () => {
  /** The fake provider, and an endpoint for pushed requests that does what the test says. */
  async function open(
    answer: (request: IncomingMessage, response: ServerResponse) => void,
    options: Partial<PkceServerOptions> = {},
  ): Promise<{ room: HostedRoom; received: () => number }> {
    let received = 0
    const endpoint = await running(
      createServer((request, response) => {
        received++
        answer(request, response)
      }),
    )
    const metadata = { pushed_authorization_request_endpoint: `${endpoint.origin}/par` }
    const room = await openHosted(options, { metadata })
    closing.push(room.close, endpoint.close)
    return { room, received: () => received }
  }
  const answering =
    (status: number, body: object | string, headers = {}) =>
    (_: IncomingMessage, response: ServerResponse) => {
      response.writeHead(status, { "content-type": "application/json", ...headers })
      response.end(typeof body === "string" ? body : JSON.stringify(body))
    }

  it.each<[string, Parameters<typeof open>[0], number, string]>([
    ["is refused", answering(400, { error: "invalid_request" }), 503, "pushed_request_rejected"],
    ["is refused for the client", answering(401, { error: "invalid_client" }), 503, "invalid_client"],
    ["is refused without a word", answering(401, ""), 503, "invalid_client"],
    ["meets a failure", answering(500, { error: "server_error" }), 503, "http_status"],
    ["meets an overload", answering(503, "", { "retry-after": "9" }), 503, "http_status"],
    ["comes too often", answering(429, {}), 503, "rate_limited"],
    ["is sent elsewhere", answering(307, "", { location: "https://evil.example/" }), 502, "redirected"],
    ["is answered with no name", answering(201, { expires_in: 60 }), 502, "http_status"],
    ["is answered with an empty name", answering(201, { request_uri: "" }), 502, "http_status"],
    ["is answered with another thing", answering(201, { request_uri: ["x"] }), 502, "http_status"],
    ["is answered with no JSON", answering(201, "<html>"), 502, "http_status"],
    ["is cut off", (_, response) => void response.socket?.destroy(), 503, "reset"],
  ])("%s: a page, no cookie, and the same link works when it is mended", async (_, fail, status, reason) => {
    let broken = true
    const good = answering(201, { request_uri: "urn:example:1" })
    const { room, received } = await open((request, response) => (broken ? fail : good)(request, response))
    const login = await room.start()
    const browser = room.browser()
    const page = await browser.visit(login.authorize_url)
    expect([page.status, page.headers.Location, page.headers["Set-Cookie"]]).toEqual([
      status,
      undefined,
      undefined,
    ])
    expect(page.headers["Content-Type"]).toContain("text/html")
    expect(room.events).toContainEqual(expect.objectContaining({ type: "auth.request.refused", reason }))
    // Never repeated by itself, and never sent the other way instead: the provider may demand it.
    expect(received()).toBe(1)
    broken = false
    const location = new URL(String((await browser.visit(login.authorize_url)).headers.Location))
    expect(Object.fromEntries(location.searchParams)).toEqual({
      client_id: room.idp.clientId,
      request_uri: "urn:example:1",
    })
  })

  it("D3: is sent to no host that is not on the list", async () => {
    const { room, received } = await open(answering(201, { request_uri: "urn:example:1" }), {
      allowedEndpointHosts: ["login.example.com"],
    })
    const page = await room.browser().visit((await room.start()).authorize_url)
    expect([page.status, received()]).toEqual([503, 0])
    expect(room.events).toContainEqual(expect.objectContaining({ reason: "endpoint_refused" }))
  })

  it("bears the client's authentication and every parameter, and none of ours that opens anything", async () => {
    let body = ""
    const { room } = await open(async (request, response) => {
      for await (const chunk of request) body += chunk
      answering(201, { request_uri: "urn:example:1" })(request, response)
    })
    const login = await room.start()
    const browser = room.browser()
    await browser.visit(login.authorize_url)
    const sent = new URLSearchParams(body)
    expect(sent.get("client_secret")).toBe(room.idp.clientSecret)
    expect(sent.get("state")).toMatch(new RegExp(`^${login.login_id}\\.[\\w-]{43}$`))
    expect([sent.get("code_challenge_method"), sent.get("code_challenge")?.length]).toEqual(["S256", 43])
    expect(sent.has("code_verifier")).toBe(false)
    for (const secret of [login.verifier, login.state, login.challenge, ...browser.cookies.values()])
      expect(body).not.toContain(secret)
  })
})

describe("the two halves of PKCE", () => {
  it("are four independent values for each browser, and none is the app's", async () => {
    const room = await openHosted()
    closing.push(room.close)
    const login = await room.start()
    const seen = new Set([login.state, login.challenge, login.verifier])
    const callbacks: string[] = []
    for (const browser of [room.browser(), room.browser()]) {
      const { headers } = await browser.visit(login.authorize_url)
      const query = new URL(String(headers.Location)).searchParams
      for (const name of ["state", "nonce", "code_challenge"]) seen.add(String(query.get(name)))
      callbacks.push(await browser.logIn(login))
      const page = await browser.visit(String(callbacks.at(-1)))
      if (callbacks.length === 1) expect(backOf(page).handoff).toBe(handoffOf(page))
    }
    const verifiers = room.idp.requests.flatMap(({ endpoint, body }) =>
      endpoint === "token" ? [String(new URLSearchParams(body).get("code_verifier"))] : [],
    )
    expect(verifiers).toHaveLength(1)
    expect(new Set([...seen, ...verifiers]).size).toBe(3 + 6 + 1)
  })
})
