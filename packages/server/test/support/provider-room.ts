import type { Config, ProviderConfig } from "../../src/config/config.js"
import { ProviderError } from "../../src/errors.js"
import type { PkceEventInput } from "../../src/events.js"
import { createProviders, type Providers } from "../../src/provider/providers.js"
import type { Provider, Redemption } from "../../src/provider/types.js"
import type { HttpClient } from "../../src/runtime/http.js"
import { type FakeProvider, type FakeProviderOptions, startFakeProvider } from "../../src/testing/index.js"
import type { FinishedLogin } from "../../src/testing/provider-types.js"

/** A provider entry with the defaults that the configuration room applies. */
export function providerEntry(entry: Partial<ProviderConfig> & { issuer: string }): ProviderConfig {
  return {
    id: "idp",
    metadataUrl: `${entry.issuer.replace(/\/$/, "")}/.well-known/openid-configuration`,
    metadata: null,
    clientId: "test-client",
    clientSecret: null,
    privateKey: null,
    clientAuthentication: null,
    redirectUris: ["com.example.app://callback"],
    scope: "openid profile email",
    authorizationParams: {},
    organization: null,
    idTokenAlgorithms: ["RS256"],
    trustedAudiences: [],
    maxAge: null,
    fetchUserinfo: false,
    nonceOptional: false,
    maxSkew: 60,
    revokeTokens: true,
    signedRequests: false,
    allowedEndpointHosts: null,
    ...entry,
  }
}

export interface Room {
  idp: FakeProvider
  providers: Providers
  provider: Provider
  events: PkceEventInput[]
  /** Seconds that the room's clock is ahead of the real one. */
  advance(seconds: number): void
  redeem(login?: FinishedLogin): ReturnType<Provider["redeem"]>
  close(): Promise<void>
}

export interface RoomOptions {
  idp?: FakeProviderOptions
  entry?: Partial<ProviderConfig>
  /** More entries at the same provider. */
  more?: Partial<ProviderConfig>[]
  config?: Partial<Config>
  /** Puts something around the client that the providers use. */
  wrapHttp?: (http: HttpClient) => HttpClient
}

export const redemptionOf = (login: FinishedLogin): Redemption => ({
  code: login.code,
  codeVerifier: login.code_verifier,
  redirectUri: login.redirect_uri,
  nonce: login.nonce,
})

/** The provider room before a fake provider, on a clock that tests can move. */
export async function openRoom(options: RoomOptions = {}): Promise<Room> {
  let offset = 0
  const now = () => Date.now() / 1000 + offset
  const idp = await startFakeProvider({ now, ...options.idp })
  const base = { issuer: idp.issuer, clientId: idp.clientId, clientSecret: idp.clientSecret || null }
  const entries = [options.entry ?? {}, ...(options.more ?? [])]
  const events: PkceEventInput[] = []
  // The rooms behind the configuration read these members alone.
  const config = {
    providers: entries.map((entry) => providerEntry({ ...base, ...entry })),
    allowLoopbackHttp: true,
    allowPrivateIdp: false,
    ...options.config,
  } as Config
  const providers = createProviders(config, (event) => void events.push(event), now, options.wrapHttp)
  const [provider] = providers.list
  if (!provider) throw new Error("no provider")
  return {
    idp,
    providers,
    provider,
    events,
    advance(seconds) {
      offset += seconds
    },
    redeem: (login = idp.finishLogin()) => provider.redeem(redemptionOf(login)),
    async close() {
      await providers.close()
      await idp.close()
    },
  }
}

/** What a refused call says, in one object that tests compare whole. */
export async function failureOf(promise: Promise<unknown>) {
  const error = await promise.then(
    () => null,
    (caught: unknown) => caught,
  )
  if (!(error instanceof ProviderError)) throw error ?? new Error("it did not fail")
  const { code, reason, spent } = error
  return { code, reason, spent }
}
