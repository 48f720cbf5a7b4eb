import type { Context, Provider } from "oidc-provider"
import type { ProviderEvent } from "./events.js"

interface TokenAnswer {
  access_token: string
  id_token: string
  refresh_token?: string
}

/** Turns oidc-provider's own events into the few that the examples watch. */
export function reportEvents(provider: Provider, emit: (event: ProviderEvent) => void): void {
  // oidc-provider takes the request up again, by another route, when the login page is done.
  const requested = (ctx: Context) => {
    if (ctx.oidc.route !== "authorization") return
    emit({ type: "authorization_requested", params: present(ctx.oidc.params) })
  }
  provider.on("interaction.started", requested)
  provider.on("authorization.accepted", requested)
  provider.on("authorization.success", (ctx: Context, out: Record<string, string>) => {
    if (out.code === undefined) return
    emit({
      type: "code_issued",
      code: out.code,
      state: out.state,
      iss: out.iss,
      account: ctx.oidc.session.accountId ?? "",
    })
  })
  // The challenge is kept with the code; oidc-provider has compared it when this event comes.
  provider.on("grant.success", (ctx: Context) => {
    const { params, client, entities } = ctx.oidc
    if (params.grant_type !== "authorization_code") return
    const answer = ctx.body as TokenAnswer
    emit({
      type: "code_redeemed",
      code: params.code ?? "",
      codeVerifier: params.code_verifier ?? "",
      codeChallenge: entities.AuthorizationCode?.codeChallenge ?? "",
      clientAuthentication: client.tokenEndpointAuthMethod,
      idToken: answer.id_token,
      accessToken: answer.access_token,
      refreshToken: answer.refresh_token,
    })
  })
  provider.on("end_session.success", () => emit({ type: "user_logged_out" }))
  provider.on("authorization.error", (_: Context, error: Error) =>
    emit({ type: "refused", endpoint: "authorization", error: error.message }),
  )
  provider.on("grant.error", (_: Context, error: Error) =>
    emit({ type: "refused", endpoint: "token", error: error.message }),
  )
}

const present = (params: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(params).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
