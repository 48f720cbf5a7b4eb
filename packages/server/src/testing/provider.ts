import { randomBytes } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import { authenticateClient } from "./provider-clients.js"
import { makeKey, signCompact } from "./provider-keys.js"
import { type FakeAnswer, listen, readBody, respond, shut } from "./provider-server.js"
import { createFakeTokens, refuse, s256 } from "./provider-tokens.js"
import type {
  DraftToken,
  EndpointFault,
  FakeEndpoint,
  FakeGrant,
  FakeProvider,
  FakeProviderOptions,
} from "./provider-types.js"

const METHODS = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]
const REDIRECT_URI = "com.example.app://callback"
const LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
const random = () => randomBytes(32).toString("base64url")

/**
 * An OpenID Provider on a port of 127.0.0.1, for tests: discovery, JWKS, authorization without a page, token and refresh,
 * userinfo, revocation, logout, and logout tokens. It checks the client, PKCE, the redirect URI and refresh tokens as a
 * real one does, counts its calls, and fails in whatever way `faults` says. All of it goes by one clock, `now`.
 *
 * @example
 * ```ts
 * const idp = await startFakeProvider()
 * const auth = createPkceServer({ ...idp.options(), secrets: [process.env.PKCE_SECRET] })
 * const grant = await auth.exchange(idp.finishLogin({ sub: "alice" }))
 * idp.faults.token = { hangUp: "after", times: 1 }
 * await idp.close()
 * ```
 */
export async function startFakeProvider(options: FakeProviderOptions = {}): Promise<FakeProvider> {
  const { issuerPath = "", authMethods = METHODS, algorithm = "RS256" } = options
  const now = () => Math.floor(options.now ? options.now() : Date.now() / 1000)
  const clients = options.clients ?? [{ clientId: "test-client", clientSecret: `test-secret-${random()}` }]
  const [{ clientId, clientSecret = "" } = { clientId: "" }] = clients
  let key = makeKey(algorithm, true)
  const tokens = createFakeTokens({ ...options, now, idToken })

  const { server, origin } = await listen(serve)
  const issuer = `${origin}${issuerPath}`
  const base = issuer.replace(/\/$/, "")
  const basePath = base.slice(origin.length)
  const tokenEndpoint = `${base}/oauth/token`
  const metadata = {
    issuer,
    authorization_endpoint: `${base}/authorize`,
    token_endpoint: tokenEndpoint,
    jwks_uri: `${base}/.well-known/jwks.json`,
    userinfo_endpoint: `${base}/userinfo`,
    revocation_endpoint: `${base}/oauth/revoke`,
    end_session_endpoint: `${base}/logout`,
    response_types_supported: ["code"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: [algorithm],
    token_endpoint_auth_methods_supported: authMethods,
    code_challenge_methods_supported: ["S256"],
    authorization_response_iss_parameter_supported: true,
    ...options.metadata,
  }

  const routes: Record<string, FakeEndpoint> = {
    [`GET ${basePath}/.well-known/openid-configuration`]: "discovery",
    [`GET ${basePath}/.well-known/jwks.json`]: "jwks",
    [`GET ${basePath}/authorize`]: "authorize",
    [`POST ${basePath}/oauth/token`]: "token",
    [`POST ${basePath}/oauth/revoke`]: "revocation",
    [`GET ${basePath}/userinfo`]: "userinfo",
    [`GET ${basePath}/logout`]: "logout",
  }

  const endpoints: Record<FakeEndpoint, (request: IncomingMessage, url: URL, body: string) => FakeAnswer> = {
    discovery: () => ({ json: metadata }),
    jwks: () => ({ json: { keys: [key.publicJwk] } }),
    authorize,
    token: (request, _, body) =>
      forClient(request, body, (fields, client) =>
        fields.get("grant_type") === "authorization_code"
          ? tokens.redeem(fields, client, clientId)
          : refuse("unsupported_grant_type"),
      ),
    refresh: (request, _, body) => forClient(request, body, tokens.refresh),
    revocation: (request, _, body) => forClient(request, body, tokens.revoke),
    userinfo: (request) =>
      tokens.userinfo(/^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? ""),
    logout(_, url) {
      const back = url.searchParams.get("post_logout_redirect_uri")
      if (!back) return { raw: "signed out" }
      const location = new URL(back)
      const state = url.searchParams.get("state")
      if (state !== null) location.searchParams.set("state", state)
      return { status: 302, headers: { location: location.href } }
    },
  }

  function authorize(_: IncomingMessage, { searchParams }: URL): FakeAnswer {
    const asked = (name: string) => searchParams.get(name) ?? ""
    const known = clients.some((client) => client.clientId === asked("client_id"))
    if (!known || asked("response_type") !== "code" || asked("code_challenge_method") !== "S256")
      return { status: 400, json: { error: "invalid_request" } }
    const { sub, ...claims } = fake.user
    const nonce = searchParams.get("nonce")
    const scope = searchParams.get("scope")
    const code = tokens.issueCode({
      clientId: asked("client_id"),
      redirectUri: asked("redirect_uri"),
      codeChallenge: asked("code_challenge"),
      ...(nonce === null ? {} : { nonce }),
      ...(scope === null ? {} : { scope }),
      sub,
      claims,
    })
    const location = new URL(asked("redirect_uri"))
    for (const [name, value] of Object.entries({ code, state: asked("state"), iss: issuer }))
      location.searchParams.set(name, value)
    return { status: 302, headers: { location: location.href } }
  }

  /** Acts for the client that the request proves to come from. */
  function forClient(
    { headers: { authorization } }: IncomingMessage,
    body: string,
    act: (fields: URLSearchParams, clientId: string) => FakeAnswer,
  ): FakeAnswer {
    const fields = new URLSearchParams(body)
    const audiences = [issuer, tokenEndpoint]
    const client = authenticateClient(clients, authMethods, { authorization, fields }, audiences, now())
    return client ? act(fields, client.clientId) : refuse("invalid_client", 401)
  }

  function idToken(grant: FakeGrant & { sub: string; clientId: string }): string {
    const { sub, nonce, authTime, claims = {} } = grant
    const draft: DraftToken = {
      header: { alg: algorithm, kid: key.kid, typ: "JWT" },
      claims: {
        ...claims,
        iss: issuer,
        sub,
        aud: grant.clientId,
        iat: now(),
        exp: now() + 3600,
        ...(nonce === undefined ? {} : { nonce }),
        ...(authTime === undefined ? {} : { auth_time: authTime }),
      },
      key: key.privateKey,
    }
    const edited = fake.faults.idToken?.(draft)
    return typeof edited === "string" ? edited : signCompact(draft.header, draft.claims, draft.key)
  }

  const sign: FakeProvider["sign"] = (claims, header) =>
    signCompact({ alg: algorithm, kid: key.kid, typ: "JWT", ...header }, claims, key.privateKey)

  function faultOf(endpoint: FakeEndpoint): EndpointFault | undefined {
    const fault = fake.faults[endpoint]
    if (fault?.times !== undefined && fault.times-- <= 0) return undefined
    return fault
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url: target = "/", headers } = request
    const url = new URL(target, origin)
    const body = await readBody(request)
    const route = routes[`${method} ${url.pathname}`]
    if (!route) return respond(response, undefined, now(), () => ({ status: 404 }))
    const refreshes = new URLSearchParams(body).get("grant_type") === "refresh_token"
    const endpoint = route === "token" && refreshes ? "refresh" : route
    fake.calls[endpoint]++
    fake.requests.push({ endpoint, method, url: target, headers, body })
    await respond(response, faultOf(endpoint), now(), () => endpoints[endpoint](request, url, body))
  }

  const fake: FakeProvider = {
    origin,
    issuer,
    clientId,
    clientSecret,
    faults: {},
    calls: {
      discovery: 0,
      jwks: 0,
      authorize: 0,
      token: 0,
      refresh: 0,
      userinfo: 0,
      revocation: 0,
      logout: 0,
    },
    requests: [],
    user: { sub: "user-1", name: "Ada Example", email: "ada@example.com" },
    issueCode: tokens.issueCode,
    finishLogin(grant = {}) {
      const verifier = random()
      const nonce = grant.nonce ?? random()
      const redirectUri = grant.redirectUri ?? REDIRECT_URI
      const code = tokens.issueCode({ ...grant, redirectUri, nonce, codeChallenge: s256(verifier) })
      return { code, code_verifier: verifier, redirect_uri: redirectUri, nonce, iss: issuer }
    },
    revokeUser: tokens.revokeUser,
    rotateKeys() {
      key = makeKey(algorithm)
    },
    sign,
    logoutToken(claims, header) {
      const { sub } = fake.user
      const times = { iat: now(), exp: now() + 120 }
      const events = { [LOGOUT_EVENT]: {} }
      const standard = { iss: issuer, sub, aud: clientId, ...times, jti: random(), events }
      return sign({ ...standard, ...claims }, { typ: "logout+jwt", ...header })
    },
    options: () => ({
      issuer,
      clientId,
      ...(clientSecret ? { clientSecret } : {}),
      redirectUris: [REDIRECT_URI],
      allowLoopbackHttp: true,
    }),
    close: () => shut(server),
  }
  return fake
}
