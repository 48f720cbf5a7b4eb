import type { ProviderConfig } from "./config.js"
import type { Report } from "./faults.js"
import type { ClientOptions, PkceServerOptions, ProviderOptions } from "./options.js"
import { checkEndpoint, checkRedirectUri } from "./uris.js"

/** The id of the provider whose options stand at the top. */
const SINGLE = "default"

const DISCOVERY = "/.well-known/openid-configuration"

// A5: set by the protocol, or by an option of their own.
const RESERVED =
  /^(?:client_id|client_secret|redirect_uri|response_type|response_mode|scope|state|nonce|code_challenge.*|request.*|max_age|iss|id_token_hint)$/i

const SINGLE_OPTIONS = [
  "issuer",
  "metadataUrl",
  "metadata",
  "clientId",
  "clientSecret",
  "privateKey",
  "redirectUris",
  "clients",
] as const satisfies (keyof ProviderOptions)[]

/** One entry per client id. */
export function readProviders(options: PkceServerOptions, report: Report): ProviderConfig[] {
  const named = Object.entries(options.providers ?? {})
  if (named.length === 0) return readProvider(SINGLE, "", options, options, report)
  const atTop = SINGLE_OPTIONS.find((name) => options[name] !== undefined)
  if (atTop) report.fault(atTop, "stands beside providers", "Move it into one of the providers.")
  return named.flatMap(([id, provider]) => {
    checkId(`providers.${id}`, id, report)
    return readProvider(id, `providers.${id}.`, provider, options, report)
  })
}

function readProvider(
  id: string,
  prefix: string,
  provider: Partial<ProviderOptions>,
  { allowLoopbackHttp = false }: PkceServerOptions,
  report: Report,
): ProviderConfig[] {
  const { issuer } = provider
  if (issuer === undefined)
    report.fault(`${prefix}issuer`, "is missing", "Copy it from the provider's metadata.")
  else {
    checkEndpoint(`${prefix}issuer`, issuer, allowLoopbackHttp, report)
    if (issuer.endsWith(DISCOVERY))
      report.fault(
        `${prefix}issuer`,
        "is the address of the metadata",
        "Give the issuer that stands in it, exactly as it is written there.",
      )
    if (issuer.includes("?")) report.fault(`${prefix}issuer`, "has a query", "Remove the part from ? on.")
  }
  checkMetadata(prefix, provider, allowLoopbackHttp, report)
  if (provider.nonce === "optional")
    report.warn(
      `${prefix}nonce: "optional" admits apps without a nonce; make it required once all of them send one`,
    )

  const clients: [string, string, Partial<ClientOptions>][] = provider.clients
    ? Object.entries(provider.clients).map(([name, client]) => {
        checkId(`${prefix}clients.${name}`, name, report)
        return [`${id}.${name}`, `${prefix}clients.${name}.`, client]
      })
    : [[id, prefix, provider]]
  if (provider.clients) {
    if (clients.length === 0) report.fault(`${prefix}clients`, "is empty", "Name at least one client.")
    if (provider.clientId !== undefined || provider.redirectUris !== undefined)
      report.fault(`${prefix}clients`, "stands beside clientId or redirectUris", "Move these into clients.")
  }
  const shared = {
    issuer: issuer ?? "",
    metadataUrl: provider.metadataUrl ?? `${(issuer ?? "").replace(/\/$/, "")}${DISCOVERY}`,
    metadata: provider.metadata ?? null,
    scope: readScope(`${prefix}scope`, provider.scope, report),
    authorizationParams: readParams(prefix, provider, report),
    organization: provider.organization ?? null,
    idTokenAlgorithms: readAlgorithms(prefix, provider, report),
    trustedAudiences: provider.trustedAudiences ?? [],
    maxAge: provider.maxAge ?? null,
    fetchUserinfo: provider.fetchUserinfo ?? false,
    nonceOptional: provider.nonce === "optional",
    maxSkew: provider.maxSkew ?? 60,
    revokeTokens: provider.revokeTokens ?? true,
    signedRequests: provider.signedRequests ?? false,
    allowedEndpointHosts: provider.allowedEndpointHosts ?? null,
  }
  return clients.map(([clientKey, path, client]) => ({
    id: clientKey,
    ...shared,
    ...readClient(path, client, report, provider.signedRequests),
  }))
}

function readClient(path: string, client: Partial<ClientOptions>, report: Report, signedRequests = false) {
  const { clientId, clientSecret, privateKey, clientAuthentication: method, redirectUris } = client
  if (clientId === undefined)
    report.fault(`${path}clientId`, "is missing", "Copy it from the provider's dashboard.")
  if (signedRequests && privateKey === undefined)
    report.fault(`${path}privateKey`, "is missing, and signedRequests needs it", "Give the key to sign with.")
  // An unset environment variable would otherwise turn a confidential client into a public one.
  if (Object.hasOwn(client, "clientSecret") && clientSecret === undefined)
    report.fault(
      `${path}clientSecret`,
      "is undefined: is the environment variable set?",
      "Set it, or leave the option out.",
    )
  if (clientSecret !== undefined && privateKey !== undefined && method === undefined)
    report.fault(`${path}clientAuthentication`, "is missing beside two credentials", "Say which one to use.")
  if (method === "private_key_jwt" && privateKey === undefined)
    report.fault(`${path}privateKey`, "is missing for private_key_jwt", "Give the private JWK.")
  if (method?.startsWith("client_secret") && clientSecret === undefined)
    report.fault(`${path}clientSecret`, `is missing for ${method}`, "Copy it from the provider's dashboard.")
  if (redirectUris === undefined)
    report.fault(`${path}redirectUris`, "is missing", "List the URIs that the app may be called back at.")
  redirectUris?.forEach((uri, index) => {
    checkRedirectUri(`${path}redirectUris[${index}]`, uri, report)
  })
  return {
    clientId: clientId ?? "",
    clientSecret: clientSecret ?? null,
    privateKey: privateKey ?? null,
    clientAuthentication: method ?? null,
    redirectUris: redirectUris ?? [],
  }
}

function checkMetadata(
  prefix: string,
  { issuer, metadata, metadataUrl }: Partial<ProviderOptions>,
  allowLoopbackHttp: boolean,
  report: Report,
): void {
  if (metadataUrl !== undefined) checkEndpoint(`${prefix}metadataUrl`, metadataUrl, allowLoopbackHttp, report)
  if (!metadata) return
  if (metadataUrl !== undefined)
    report.fault(`${prefix}metadata`, "stands beside metadataUrl", "Keep one of the two.")
  if (metadata.issuer !== issuer)
    report.fault(`${prefix}metadata.issuer`, "is not the issuer", "Copy it exactly, trailing slash and all.")
  for (const [name, value] of Object.entries(metadata)) {
    if ((name.endsWith("_endpoint") || name === "jwks_uri") && typeof value === "string")
      checkEndpoint(`${prefix}metadata.${name}`, value, allowLoopbackHttp, report)
  }
}

function readParams(
  prefix: string,
  provider: Partial<ProviderOptions>,
  report: Report,
): Record<string, string> {
  const params: Record<string, string> = { ...provider.authorizationParams }
  for (const name of Object.keys(params)) {
    if (RESERVED.test(name))
      report.fault(`${prefix}authorizationParams.${name}`, "is set by the protocol", "Remove it.")
  }
  for (const name of ["audience", "organization", "connection"] as const) {
    const value = provider[name]
    if (value === undefined) continue
    if (Object.hasOwn(params, name))
      report.fault(`${prefix}authorizationParams.${name}`, `stands beside ${name}`, "Keep one of the two.")
    params[name] = value
  }
  if (provider.maxAge !== undefined) params.max_age = String(provider.maxAge)
  return params
}

function readScope(option: string, scope = "openid profile email", report: Report): string {
  const names = scope.split(" ").filter((name) => name !== "")
  if (!names.includes("openid"))
    report.fault(option, "lacks openid", "Add openid: without it there is no ID token.")
  return names.join(" ")
}

function readAlgorithms(prefix: string, provider: Partial<ProviderOptions>, report: Report): string[] {
  const known = /^(?:RS|PS|ES)(?:256|384|512)$|^EdDSA$|^Ed25519$|^HS256$/
  const algorithms = provider.idTokenAlgorithms ?? ["RS256"]
  for (const algorithm of algorithms) {
    if (!known.test(algorithm))
      // E2: there is no way to spell "none".
      report.fault(
        `${prefix}idTokenAlgorithms`,
        "names an algorithm that is not accepted",
        "Use RS256 or ES256.",
      )
  }
  return algorithms
}

function checkId(option: string, id: string, report: Report): void {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(id))
    report.fault(option, "is not an id", "Use letters, digits, - and _ only, at most 64.")
}
