import { PkceError } from "../errors.js"
import { authorizationUrl } from "../pkce/authorization-url.js"
import { randomText } from "../pkce/crypto.js"
import type { FlowDeps, LoginFlow } from "./flow.js"
import type { ProviderList } from "./provider.js"

/** The app speaks to the provider itself, and its backend redeems the code. */
export const appFlow = ({ crypto, redirectUris }: FlowDeps, list: ProviderList): LoginFlow => ({
  async begin({ options, provider: id, redirectUri, state, challenge, device, request }) {
    const providers = await list()
    // Without an id there must be exactly one.
    const provider = providers.find((one) => (id === undefined ? providers.length === 1 : one.id === id))
    if (!provider) throw new PkceError("invalid_request", "start")
    const { issuer, client_id, scope, iss_in_callback: issRequired, authorization_params = {} } = provider
    const alone = providers.every((other) => other.issuer === issuer)
    // B5: where neither `iss` nor the address tells whose answer it is, answers could be swapped.
    if (!alone && !issRequired && redirectUris.length === 1) {
      throw new PkceError("redirect_uri_not_allowed", "start")
    }
    const { loginHint: login_hint, prompt, uiLocales: ui_locales, params } = options
    const nonce = randomText(crypto)
    const url = authorizationUrl(
      provider.authorization_endpoint,
      { client_id, redirect_uri: redirectUri, scope, state, nonce, code_challenge: challenge },
      { login_hint, prompt, ui_locales, ...params },
      // A5: what the backend sets by policy is not the app's to change.
      authorization_params,
    )
    return {
      url,
      path: "/exchange",
      provider: provider.id,
      issuer,
      issRequired,
      request: { ...request, provider: provider.id, redirect_uri: redirectUri, nonce, device },
    }
  },
})
