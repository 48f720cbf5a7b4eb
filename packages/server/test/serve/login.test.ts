import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Grant } from "@pkce/protocol"
import { createRemoteJWKSet, jwtVerify } from "jose"
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest"
import { type RealProvider, startRealProvider } from "../support/real-provider.js"
import { type RunningServe, startServe, type Variables } from "../support/serve.js"
import { random, s256 } from "../support/server.js"

const URL_OF_MOUNT = "https://api.example.com/auth"

let idp: RealProvider
let folder: string
let secret: string
let variables: Variables

beforeAll(async () => {
  // It gives advice to those who run it in production.
  for (const method of ["info", "warn"] as const) vi.spyOn(console, method).mockImplementation(() => {})
  idp = await startRealProvider()
  folder = mkdtempSync(join(tmpdir(), "pkce-serve-"))
})
afterAll(async () => {
  await idp.close()
  rmSync(folder, { recursive: true })
})

beforeEach(() => {
  secret = random()
  const { issuer, clientId, clientSecret, clientAuthentication, redirectUris, scope } = idp.options()
  // As Docker and Kubernetes hand them over.
  writeFileSync(join(folder, "secret"), `${secret}\n`)
  writeFileSync(join(folder, "client-secret"), `${clientSecret}\n`)
  variables = {
    PKCE_ISSUER: issuer,
    PKCE_CLIENT_ID: clientId,
    PKCE_CLIENT_SECRET_FILE: join(folder, "client-secret"),
    PKCE_CLIENT_AUTHENTICATION: clientAuthentication,
    PKCE_REDIRECT_URIS: redirectUris.join(" "),
    PKCE_SCOPE: scope,
    PKCE_FETCH_USERINFO: "true",
    PKCE_SECRET_FILE: join(folder, "secret"),
    PKCE_URL: URL_OF_MOUNT,
    PKCE_STORE: `sqlite:${join(folder, `${random()}.db`)}`,
    PKCE_ALLOW_LOOPBACK_HTTP: "true",
  }
})

/** A login by a browser at the provider; what the app would send, and keep. */
async function logIn(server: RunningServe, headers: Variables = {}) {
  const { redemption, iss } = await idp.newBrowser().logIn("client_secret_basic")
  const { code, codeVerifier, redirectUri, nonce } = redemption
  const verifier = random()
  const challenge = { session_challenge: s256(verifier) }
  const body = { code, code_verifier: codeVerifier, redirect_uri: redirectUri, nonce, iss, ...challenge }
  const answer = await server.post("/auth/exchange", body, headers)
  const grant = (await answer.json()) as Grant
  expect([answer.status, grant.user_info]).toEqual([
    200,
    expect.objectContaining({ email: "ada@example.com" }),
  ])
  return {
    grant,
    verifier,
    secrets: [code, codeVerifier, verifier, grant.session_token, grant.refresh_token],
  }
}

const refresh = (server: RunningServe, { grant, verifier }: { grant: Grant; verifier: string }) =>
  server.post("/auth/refresh", {
    refresh_token: grant.refresh_token,
    session_verifier: verifier,
    session_challenge: s256(random()),
  })

const bearer = ({ session_token }: Grant) => ({ authorization: `Bearer ${session_token}` })

describe("pkce-server serve", () => {
  it("logs in at a real provider, and any program can verify the session token by its public key", async () => {
    const server = await startServe(variables)
    const { grant } = await logIn(server)
    const keys = createRemoteJWKSet(new URL(`${server.origin}/auth/jwks.json`))
    const wanted = { issuer: URL_OF_MOUNT, audience: URL_OF_MOUNT, typ: "at+jwt", algorithms: ["EdDSA"] }
    const { payload } = await jwtVerify(grant.session_token ?? "", keys, wanted)
    expect(payload).toMatchObject({ sid: grant.session_id, sub: grant.user_info?.sub })
    expect(await server.stop()).toBe(0)
  })

  it("signs otherwise where the environment says so", async () => {
    const server = await startServe({ ...variables, PKCE_SESSION_ALGORITHM: "HS256" })
    expect(await (await fetch(`${server.origin}/auth/jwks.json`)).json()).toEqual({ keys: [] })
    expect(await server.stop()).toBe(0)
  })

  it("a session in SQLite goes on after a restart, and its provider's tokens are refreshed in the background", async () => {
    const first = await startServe({ ...variables, PKCE_BACKGROUND_REFRESH: "false" })
    const login = await logIn(first)
    expect(await first.stop()).toBe(0)
    expect(first.output()).not.toContain("idp.refresh")

    const second = await startServe(variables)
    await second.said("idp.refresh.succeeded")
    const session = await fetch(`${second.origin}/auth/session`, { headers: bearer(login.grant) })
    expect(await session.json()).toMatchObject({ session: { session_id: login.grant.session_id } })
    const refreshed = await refresh(second, login)
    expect([refreshed.status, (await refreshed.json()).session_id]).toEqual([200, login.grant.session_id])
    expect(await second.stop()).toBe(0)

    // The tokens are due again by then: what does not look does not refresh.
    const third = await startServe({ ...variables, PKCE_BACKGROUND_REFRESH: "false" })
    expect(await third.stop()).toBe(0)
    expect(third.output()).not.toContain("idp.refresh")
  })

  it("logs events as JSON, a line each, and no secret", async () => {
    const server = await startServe(variables)
    const login = await logIn(server)
    expect((await refresh(server, login)).status).toBe(200)
    await server.post("/auth/exchange", { code: "CANARY-code", code_verifier: "CANARY-verifier" })
    await fetch(`${server.origin}/CANARY-path?code=CANARY-query`, {
      headers: { "x-canary": "CANARY-header" },
    })
    expect(await server.stop("SIGINT")).toBe(0)
    const types = server.lines.map(({ type }) => type)
    for (const type of [
      "auth.exchange.succeeded",
      "session.refreshed",
      "auth.request.refused",
      "serve.stopped",
    ])
      expect(types).toContain(type)
    for (const line of server.lines) expect(line.at).toEqual(expect.any(Number))
    for (const word of [secret, idp.options().clientSecret, "CANARY", ...login.secrets])
      expect(server.output()).not.toContain(word)
  })

  it("is silent with PKCE_LOG=false, but for what somebody should mend", async () => {
    const server = await startServe(variables)
    const quiet = { ...variables, PKCE_LOG: "false", PKCE_PORT: String(server.port), PKCE_TYPO: "1" }
    await expect(startServe(quiet)).rejects.toThrow(
      /before serve\.listening:\n@pkce\/server: allowLoopbackHttp|before serve\.listening:\n@pkce\/server: PKCE_TYPO/,
    )
    await expect(startServe(quiet)).rejects.toThrow("PKCE_PORT: is in use (EADDRINUSE)")
    expect(await server.stop()).toBe(0)
  })

  it("C13: knows the client's address behind the proxies that it was told of, and behind no other", async () => {
    const forwarded = { "x-forwarded-for": "198.51.100.1, 203.0.113.9" }
    const networks: unknown[] = []
    for (const proxies of ["0", "1"]) {
      const server = await startServe({ ...variables, PKCE_TRUST_PROXY: proxies })
      const { grant } = await logIn(server, forwarded)
      const listed = await fetch(`${server.origin}/auth/sessions`, { headers: bearer(grant) })
      const { sessions } = (await listed.json()) as {
        sessions: { current: boolean; device: { ip: string } }[]
      }
      networks.push(sessions.find(({ current }) => current)?.device.ip)
      expect(await server.stop()).toBe(0)
    }
    expect(networks).toEqual(["127.0.0.0", "203.0.113.0"])
  })
})
