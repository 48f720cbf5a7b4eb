import { createHash, randomBytes } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import { authenticateClient } from "./provider-clients.js"
import { makeKey, signCompact } from "./provider-keys.js"
import { type FakeAnswer, listen, readBody, respond, shut } from "./provider-server.js"
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
const random = () => randomBytes(32).toString("base64url")
const s256 = (text: string) => createHash("sha256").update(text).digest("base64url")

/**
 * An OpenID Provider on a port of 127.0.0.1, for tests: discovery, JWKS, authorization without a page, token, userinfo
 * and logout. It checks the client, PKCE and the redirect URI as a real one does, counts its calls, and fails in
 * whatever way `faults` says.
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
  const codes = new Map<string, FakeGrant>()
  const users = new Map<string, { [claim: string]: unknown }>()
  let key = makeKey(algorithm, true)

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
    [`GET ${basePath}/userinfo`]: "userinfo",
    [`GET ${basePath}/logout`]: "logout",
  }

  const endpoints: Record<FakeEndpoint, (request: IncomingMessage, url: URL, body: string) => FakeAnswer> = {
    discovery: () => ({ json: metadata }),
    jwks: () => ({ json: { keys: [key.publicJwk] } }),
    authorize,
    token: (request, _, body) => token(request.headers.authorization, new URLSearchParams(body)),
    userinfo(request) {
      const user = users.get(/^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "")
      return user ? { json: user } : { status: 401, json: { error: "invalid_token" } }
    },
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
    const code = issueCode({
      clientId: asked("client_id"),
      redirectUri: asked("redirect_uri"),
      codeChallenge: asked("code_challenge"),
      ...(nonce === null ? {} : { nonce }),
      sub,
      claims,
    })
    const location = new URL(asked("redirect_uri"))
    for (const [name, value] of Object.entries({ code, state: asked("state"), iss: issuer }))
      location.searchParams.set(name, value)
    return { status: 302, headers: { location: location.href } }
  }

  function token(authorization: string | undefined, fields: URLSearchParams): FakeAnswer {
    const refuse = (error: string, status = 400): FakeAnswer => ({ status, json: { error } })
    const client = authenticateClient(clients, authMethods, { authorization, fields }, [
      issuer,
      tokenEndpoint,
    ])
    if (!client) return refuse("invalid_client", 401)
    if (fields.get("grant_type") !== "authorization_code") return refuse("unsupported_grant_type")
    const code = fields.get("code") ?? ""
    const grant = codes.get(code)
    // A code is spent by its first use, also by a wrong one (RFC 6749 section 4.1.2).
    codes.delete(code)
    const matches =
      grant?.redirectUri === fields.get("redirect_uri") &&
      grant?.codeChallenge === s256(fields.get("code_verifier") ?? "") &&
      (grant?.clientId ?? clientId) === client.clientId
    if (!grant || !matches) return refuse("invalid_grant")
    const { sub = "user-1", nonce, authTime, claims = {} } = grant
    const accessToken = `at-${random()}`
    users.set(accessToken, { ...claims, sub })
    const draft: DraftToken = {
      header: { alg: algorithm, kid: key.kid, typ: "JWT" },
      claims: {
        ...claims,
        iss: issuer,
        sub,
        aud: client.clientId,
        iat: now(),
        exp: now() + 3600,
        ...(nonce === undefined ? {} : { nonce }),
        ...(authTime === undefined ? {} : { auth_time: authTime }),
      },
      key: key.privateKey,
    }
    const edited = fake.faults.idToken?.(draft)
    const idToken = typeof edited === "string" ? edited : signCompact(draft.header, draft.claims, draft.key)
    const answer = { access_token: accessToken, token_type: "Bearer", expires_in: 3600, id_token: idToken }
    return { headers: { "cache-control": "no-store" }, json: answer }
  }

  function issueCode(grant: FakeGrant): string {
    const code = `code-${random()}`
    codes.set(code, grant)
    return code
  }

  function faultOf(endpoint: FakeEndpoint): EndpointFault | undefined {
    const fault = fake.faults[endpoint]
    if (fault?.times !== undefined && fault.times-- <= 0) return undefined
    return fault
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url: target = "/", headers } = request
    const url = new URL(target, origin)
    const body = await readBody(request)
    const endpoint = routes[`${method} ${url.pathname}`]
    if (!endpoint) return respond(response, undefined, () => ({ status: 404 }))
    fake.calls[endpoint]++
    fake.requests.push({ endpoint, method, url: target, headers, body })
    await respond(response, faultOf(endpoint), () => endpoints[endpoint](request, url, body))
  }

  const fake: FakeProvider = {
    origin,
    issuer,
    clientId,
    clientSecret,
    faults: {},
    calls: { discovery: 0, jwks: 0, authorize: 0, token: 0, userinfo: 0, logout: 0 },
    requests: [],
    user: { sub: "user-1", name: "Ada Example", email: "ada@example.com" },
    issueCode,
    finishLogin(grant = {}) {
      const verifier = random()
      const nonce = grant.nonce ?? random()
      const redirectUri = grant.redirectUri ?? REDIRECT_URI
      const code = issueCode({ ...grant, redirectUri, nonce, codeChallenge: s256(verifier) })
      return { code, code_verifier: verifier, redirect_uri: redirectUri, nonce, iss: issuer }
    },
    rotateKeys() {
      key = makeKey(algorithm)
    },
    sign: (claims, header) =>
      signCompact({ alg: algorithm, kid: key.kid, typ: "JWT", ...header }, claims, key.privateKey),
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
