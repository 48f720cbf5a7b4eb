import { createHash, generateKeyPairSync, randomBytes } from "node:crypto"
import { createServer, type IncomingMessage, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { Provider as OidcProvider } from "oidc-provider"
import type { Config } from "../../src/config/config.js"
import { createProviders } from "../../src/provider/providers.js"
import { providerEntry } from "./provider-room.js"

// node-oidc-provider, a certified implementation that shares no line with ours: what it accepts, others will.
export const METHODS = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"] as const
export type Method = (typeof METHODS)[number]

/** Seconds. */
export const ACCESS_TOKEN_LIFETIME = 60
const REDIRECT_URI = "com.example.app:/callback"
const SECRET = "a secret: with/every+kind=of&character%~ in it"

const pair = generateKeyPairSync("ec", { namedCurve: "P-256" })
const privateKey = { ...pair.privateKey.export({ format: "jwk" }), alg: "ES256", kid: "client-key" }
const publicKey = { ...pair.publicKey.export({ format: "jwk" }), alg: "ES256", kid: "client-key" }

export type RealProvider = Awaited<ReturnType<typeof startRealProvider>>

/** Everybody who comes is Ada. Each client has the name of its authentication method. */
export async function startRealProvider({
  redirectUris = [REDIRECT_URI],
  pushed = true,
  requirePushed = false,
  requireSigned = false,
}: {
  redirectUris?: string[]
  pushed?: boolean
  /** Requests must be pushed (RFC 9126 section 5), or signed (RFC 9101 section 10.5). */
  requirePushed?: boolean
  requireSigned?: boolean
} = {}) {
  const server = createServer((request, response) => handle(request, response))
  let handle: Parameters<typeof createServer>[1] & object = () => {}
  await listening(server)
  const issuer = originOf(server)
  const logout = await logoutReceiver()
  const provider = new OidcProvider(issuer, {
    clients: METHODS.map((method) => ({
      client_id: method,
      application_type: "native",
      token_endpoint_auth_method: method,
      redirect_uris: redirectUris,
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      backchannel_logout_uri: logout.url,
      backchannel_logout_session_required: true,
      ...(method.startsWith("client_secret") ? { client_secret: SECRET } : {}),
      ...(method === "private_key_jwt"
        ? {
            token_endpoint_auth_signing_alg: "ES256",
            request_object_signing_alg: "ES256",
            jwks: { keys: [publicKey] },
          }
        : {}),
    })),
    clientAuthMethods: [...METHODS],
    jwks: {
      keys: [
        {
          ...generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" }),
          kid: "k1",
        },
      ],
    },
    cookies: { keys: ["test"] },
    pkce: { required: () => true },
    ttl: { AccessToken: ACCESS_TOKEN_LIFETIME },
    issueRefreshToken: async () => true,
    rotateRefreshToken: true,
    // Its own guard would refuse to send a logout token to this machine.
    fetch: (url: string, { dispatcher: _, ...options }: RequestInit & { dispatcher?: unknown }) =>
      fetch(url, options),
    features: {
      devInteractions: { enabled: false },
      pushedAuthorizationRequests: {
        enabled: pushed,
        requirePushedAuthorizationRequests: requirePushed,
      },
      requestObjects: { enabled: true, requireSignedRequestObject: requireSigned },
      revocation: { enabled: true },
      backchannelLogout: { enabled: true },
    },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, accountId) => ({
      accountId,
      claims: () => ({ sub: accountId, email: "ada@example.com" }),
    }),
    claims: { email: ["email"] },
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({
        clientId: oidc.client?.clientId ?? "",
        accountId: oidc.session?.accountId ?? "",
      })
      grant.addOIDCScope("openid email")
      await grant.save()
      return grant
    },
  })
  const callback = provider.callback()
  handle = (request, response) => {
    if (!request.url?.startsWith("/interaction/")) return void callback(request, response)
    provider.interactionFinished(request, response, { login: { accountId: "ada" }, consent: {} })
  }

  return {
    issuer,
    logoutToken: logout.token,
    newBrowser: () => newBrowser(issuer),
    /** The provider's part of a whole server's options. */
    options: () => ({
      issuer,
      clientId: "client_secret_basic",
      clientSecret: SECRET,
      clientAuthentication: "client_secret_basic" as const,
      redirectUris: [REDIRECT_URI],
      scope: "openid email",
      allowLoopbackHttp: true as const,
    }),
    /** The same as a client with a key. */
    keyOptions: () => ({
      issuer,
      clientId: "private_key_jwt",
      privateKey,
      redirectUris: [REDIRECT_URI],
      scope: "openid email",
      allowLoopbackHttp: true as const,
    }),
    /** Our side, as the client of that method. */
    open: (method: Method) => openClient(issuer, method),
    async close() {
      for (const one of [server, logout.server]) {
        one.closeAllConnections()
        one.close()
      }
    },
  }
}

const listening = (server: Server) => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
const originOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

/** Where the provider sends its logout token. */
async function logoutReceiver() {
  let received: (body: string) => void = () => {}
  const token = new Promise<string>((resolve) => {
    received = (body) => resolve(new URLSearchParams(body).get("logout_token") ?? "")
  })
  const server = createServer(async (request: IncomingMessage, response) => {
    let body = ""
    for await (const chunk of request) body += chunk
    received(body)
    response.end()
  })
  await listening(server)
  return { server, url: `${originOf(server)}/backchannel-logout`, token: () => token }
}

/** A browser with its cookies. */
function newBrowser(issuer: string) {
  const cookies = new Map<string, string>()

  async function visit(url: string, form?: URLSearchParams): Promise<Response> {
    const cookie = Array.from(cookies, (pair) => pair.join("=")).join("; ")
    const body = form ? { method: "POST", body: form } : {}
    const response = await fetch(url, { redirect: "manual", headers: { cookie }, ...body })
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    return response
  }

  /** Follows the redirects to the app's own scheme. */
  async function browse(authorizeUrl: string): Promise<URLSearchParams> {
    let url = authorizeUrl
    for (let hop = 0; url.startsWith(issuer); hop++) {
      if (hop > 10) throw new Error("the provider goes in circles")
      const response = await visit(url)
      const location = response.headers.get("location")
      if (!location) throw new Error(await response.text())
      url = new URL(location, url).href
    }
    return new URL(url).searchParams
  }

  return {
    async logIn(clientId: Method) {
      const verifier = randomBytes(32).toString("base64url")
      const nonce = randomBytes(32).toString("base64url")
      const query = new URLSearchParams({
        client_id: clientId,
        response_type: "code",
        redirect_uri: REDIRECT_URI,
        scope: "openid email",
        state: "state",
        nonce,
        code_challenge: createHash("sha256").update(verifier).digest("base64url"),
        code_challenge_method: "S256",
      })
      const answer = await browse(`${issuer}/auth?${query}`)
      const redemption = {
        code: answer.get("code") ?? "",
        codeVerifier: verifier,
        redirectUri: REDIRECT_URI,
        nonce,
      }
      return { redemption, iss: answer.get("iss") ?? undefined }
    },

    /** Says yes on the page that asks whether to log out. */
    async logOut(logoutUrl: string) {
      const page = await (await visit(logoutUrl)).text()
      const [, action = ""] = /action="([^"]+)"/.exec(page) ?? []
      const [, xsrf = ""] = /name="xsrf" value="([^"]+)"/.exec(page) ?? []
      await visit(action, new URLSearchParams({ xsrf, logout: "yes" }))
    },
  }
}

function openClient(issuer: string, method: Method) {
  const entry = providerEntry({
    issuer,
    clientId: method,
    clientAuthentication: method,
    redirectUris: [REDIRECT_URI],
    fetchUserinfo: true,
    clientSecret: method.startsWith("client_secret") ? SECRET : null,
    privateKey: method === "private_key_jwt" ? privateKey : null,
  })
  const config = { providers: [entry], allowLoopbackHttp: true, allowPrivateIdp: false } as unknown as Config
  const providers = createProviders(config, () => {})
  const provider = providers.get("idp")
  if (!provider) throw new Error("no provider")
  return { provider, close: providers.close }
}
