import { generateKeyPair, randomBytes } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { promisify } from "node:util"
import type { Context } from "oidc-provider"
import type { ProviderEvent } from "./events.js"
import { errorPage, loginPage, logoutPage, signedOutPage } from "./pages.js"
import { accountOf, personOf } from "./person.js"
import { loadProvider } from "./quiet.js"
import { reportEvents } from "./report.js"

export interface LocalProviderOptions {
  /** The one client's. Loopback URIs match whatever their port (RFC 8252 section 7.3). */
  redirectUris?: string[]
  postLogoutRedirectUris?: string[]
  /** What the login page calls the client. Default `the example`. */
  clientName?: string
  onEvent?: (event: ProviderEvent) => void
}

export interface LocalProvider {
  issuer: string
  clientId: string
  clientSecret: string
  close(): Promise<void>
}

/**
 * A real OpenID Provider on 127.0.0.1 and a free port, with a login page that asks for a name only. PKCE is required, the
 * callback carries `iss` (RFC 9207), refresh tokens rotate, and the client is confidential, as a backend is.
 *
 * @example
 * ```ts
 * const provider = await startLocalProvider()
 * const auth = createPkceServer({ ...provider, redirectUris: ["http://127.0.0.1/callback"], allowLoopbackHttp: true })
 * ```
 */
export async function startLocalProvider(options: LocalProviderOptions = {}): Promise<LocalProvider> {
  const { Provider, createMemoryAdapter, interactionPolicy } = await loadProvider()
  const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: 2048 })
  const clientId = "pkce-example"
  const clientSecret = randomBytes(32).toString("base64url")

  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  // The login itself is the consent: the client belongs to the same house.
  const policy = interactionPolicy.base()
  policy.get("consent").checks.remove("native_client_prompt")

  const provider = new Provider(issuer, {
    adapter: createMemoryAdapter(),
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: "local" }] },
    cookies: { keys: [randomBytes(32).toString("base64url")] },
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        client_name: options.clientName ?? "the example",
        application_type: "native",
        token_endpoint_auth_method: "client_secret_post",
        grant_types: ["authorization_code", "refresh_token"],
        redirect_uris: options.redirectUris ?? ["http://127.0.0.1/callback"],
        post_logout_redirect_uris: options.postLogoutRedirectUris ?? ["http://127.0.0.1/"],
      },
    ],
    scopes: ["openid", "profile", "email", "offline_access"],
    claims: {
      openid: ["sub"],
      profile: ["name", "preferred_username"],
      email: ["email", "email_verified"],
    },
    // The ID token carries the profile, so that a login costs the backend one call.
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: () => true,
    clientBasedCORS: () => false,
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx: Context, form: string) => {
          ctx.body = logoutPage(form)
        },
        postLogoutSuccessSource: (ctx: Context) => {
          ctx.body = signedOutPage()
        },
      },
    },
    ttl: {
      Interaction: 600,
      AuthorizationCode: 60,
      AccessToken: 3600,
      IdToken: 3600,
      RefreshToken: 86_400,
      Session: 86_400,
      Grant: 86_400,
    },
    interactions: { policy, url: (_: Context, { uid }: { uid: string }) => `/interaction/${uid}` },
    findAccount: (_: Context, account: string) => ({
      accountId: account,
      claims: () => personOf(account),
    }),
    renderError: (ctx: Context, out: { error: string; error_description?: string }) => {
      ctx.type = "html"
      ctx.body = errorPage(out.error, out.error_description ?? "The provider refused the request.")
    },
    async loadExistingGrant(ctx: Context) {
      const { client, session, requestParamScopes } = ctx.oidc
      const known = session.grantIdFor(client.clientId)
      const grant =
        (known && (await provider.Grant.find(known))) ||
        new provider.Grant({ clientId: client.clientId, accountId: session.accountId ?? "" })
      grant.addOIDCScope([...requestParamScopes].join(" "))
      await grant.save()
      return grant
    },
  })
  const emit = options.onEvent ?? (() => {})
  reportEvents(provider, emit)

  async function interaction(request: IncomingMessage, response: ServerResponse) {
    const { params } = await provider.interactionDetails(request, response)
    const typed = request.method === "POST" ? new URLSearchParams(await bodyOf(request)).get("user") : null
    const account = typed && accountOf(typed)
    if (account) {
      emit({ type: "user_logged_in", account })
      return provider.interactionFinished(request, response, {
        login: { accountId: account, remember: true },
      })
    }
    const problem = typed === null ? "" : "A name needs at least one letter."
    const hint = typed ?? params.login_hint ?? ""
    send(response, 200, loginPage({ client: options.clientName ?? "the example", hint, problem }))
  }

  const protocol = provider.callback()
  server.on("request", (request, response) => {
    if (!request.url?.startsWith("/interaction/")) return protocol(request, response)
    interaction(request, response).catch(() =>
      send(response, 400, errorPage("login_expired", "This login is over. Start again in the app.")),
    )
  })

  return {
    issuer,
    clientId,
    clientSecret,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = ""
  for await (const chunk of request) {
    body += chunk
    if (body.length > 4096) throw new Error("the form is too large")
  }
  return body
}

function send(response: ServerResponse, status: number, html: string) {
  response
    .writeHead(status, { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" })
    .end(html)
}
