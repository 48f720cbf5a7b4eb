import type { ProviderConfig } from "../config/config.js"
import { ProviderError } from "../errors.js"
import type { HttpClient } from "../runtime/http.js"
import { algorithmOf } from "./algorithms.js"
import { authorizationUrl } from "./authorization-request.js"
import { createClientAuthenticator } from "./client-authentication.js"
import { failed, refused, restated } from "./failures.js"
import { type LoginPolicy, loginMark, validateIdToken } from "./id-token.js"
import type { IssuerSource } from "./issuer.js"
import { validateLogoutToken } from "./logout-token.js"
import { buildLogoutUrl } from "./logout-url.js"
import { profileOf } from "./profile.js"
import { redirectUriMatcher } from "./redirect-uri.js"
import { refreshTokens } from "./refresh.js"
import { revokeToken } from "./revocation.js"
import { redeemCode } from "./token-endpoint.js"
import type { Provider } from "./types.js"
import { fetchUserinfo, outsideLogin } from "./userinfo.js"

export interface ProviderDependencies {
  http: HttpClient
  /** Shared by all entries of one issuer. */
  source: IssuerSource
  /** Seconds since the epoch. */
  now: () => number
}

/** One client id at one issuer. What a login needs and no login changes is made here, once. */
export function createProvider(entry: ProviderConfig, { http, source, now }: ProviderDependencies): Provider {
  const { id, issuer, clientId, nonceOptional } = entry
  const authenticate = createClientAuthenticator(entry)
  const asymmetric = entry.idTokenAlgorithms.some((alg) => algorithmOf(alg)?.kty !== "oct")
  const acrValues = entry.authorizationParams.acr_values?.split(" ").filter(Boolean) ?? null
  const policy: Omit<LoginPolicy, "keys"> = {
    issuer,
    clientId,
    clientSecret: entry.clientSecret,
    algorithms: entry.idTokenAlgorithms,
    trustedAudiences: entry.trustedAudiences,
    organization: entry.organization,
    acrValues,
    maxAge: entry.maxAge,
    maxSkew: entry.maxSkew,
  }

  return {
    id,
    issuer,
    clientId,
    nonceOptional,
    allowsRedirectUri: redirectUriMatcher(entry.redirectUris),

    async config() {
      const { metadata, keys } = await source.get()
      http.warm(new URL(metadata.token_endpoint).origin)
      // A login is about to start; what fails here is tried again, and reported, when it ends.
      if (asymmetric && !http.endsWithRequest) keys.ready().catch(() => {})
      return {
        id,
        issuer,
        authorization_endpoint: metadata.authorization_endpoint,
        client_id: clientId,
        scope: entry.scope,
        iss_in_callback: metadata.authorization_response_iss_parameter_supported === true,
        authorization_params: entry.authorizationParams,
      }
    },

    async authorizationUrl(input) {
      const { metadata, keys } = await source.get()
      http.warm(new URL(metadata.token_endpoint).origin)
      if (asymmetric) keys.ready().catch(() => {})
      return authorizationUrl({ http, metadata, authenticate, entry, now: now() }, input)
    },

    async checkCallbackIssuer(iss) {
      const { metadata } = await source.get()
      if (iss === undefined) {
        if (metadata.authorization_response_iss_parameter_supported)
          throw refused("callback_issuer_missing", false)
      } else if (iss !== issuer) throw refused("callback_issuer_mismatch", false)
    },

    async redeem(input) {
      if (input.nonce === undefined && !nonceOptional) throw refused("nonce_required", false)
      const { metadata, keys } = await source.get()
      // Before the code is spent: an outage of the keys must not cost the user the login.
      if (asymmetric) await keys.ready()
      const answer = await redeemCode(http, metadata, authenticate, input, now)
      try {
        const claims = await validateIdToken(
          answer.id_token,
          { ...policy, keys },
          { nonce: input.nonce, accessToken: answer.access_token, code: input.code, now: now() },
        )
        const userinfo =
          entry.fetchUserinfo && metadata.userinfo_endpoint
            ? await fetchUserinfo(http, metadata.userinfo_endpoint, answer.access_token, claims.sub, {
                ...policy,
                keys,
              })
            : {}
        return {
          issuer,
          subject: claims.sub,
          idpSid: typeof claims.sid === "string" ? claims.sid : null,
          issuedAt: Number(claims.iat),
          profile: profileOf(claims, userinfo),
          tokens: { ...answer, id_token: String(answer.id_token), login: loginMark(claims) },
        }
      } catch (error) {
        // Once the provider has seen the code no failure leaves it unspent, not even one of the keys, which knows no code.
        throw error instanceof ProviderError && !error.spent ? restated(error, true, error.retryAfter) : error
      }
    },

    async refresh(input) {
      const { metadata, keys } = await source.get()
      // Before the refresh token is spent: an outage of the keys must not cost the user the grant.
      if (asymmetric) await keys.ready()
      return refreshTokens({ http, metadata, authenticate, policy: { ...policy, keys }, now }, input)
    },

    async userinfo(accessToken, subject) {
      const { metadata, keys } = await source.get()
      const { userinfo_endpoint: endpoint } = metadata
      if (!endpoint) throw failed("idp_misconfigured", "endpoint_missing", false)
      const userinfo = { ...policy, keys }
      const claims = await fetchUserinfo(http, endpoint, accessToken, subject, userinfo).catch((error) => {
        throw outsideLogin(error)
      })
      return { sub: subject, ...profileOf(claims) }
    },

    async revoke(refreshToken) {
      if (!entry.revokeTokens) return
      const { metadata } = await source.get()
      await revokeToken(http, metadata, authenticate, refreshToken, now())
    },

    async verifyLogoutToken(token) {
      const { keys } = await source.get()
      return validateLogoutToken(token, { ...policy, keys: keys.forStrangers }, now())
    },

    async announcesLogout() {
      const { metadata } = await source.get()
      return metadata.backchannel_logout_supported === true
    },

    async logoutUrl(input) {
      const { metadata } = await source.get()
      return buildLogoutUrl(metadata, clientId, input)
    },
  }
}
