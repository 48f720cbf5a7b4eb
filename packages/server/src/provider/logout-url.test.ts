import { describe, expect, it } from "vitest"
import { buildLogoutUrl } from "./logout-url.js"

const metadata = (issuer: string, more: Record<string, unknown> = {}) => ({
  issuer,
  authorization_endpoint: `${issuer}authorize`,
  token_endpoint: `${issuer}oauth/token`,
  jwks_uri: `${issuer}.well-known/jwks.json`,
  ...more,
})
const asked = { idToken: "hint", postLogoutRedirectUri: "https://app.example.com/bye?a=1", state: "s&t" }
const read = (url: string | null) => {
  const { origin, pathname, searchParams } = new URL(url ?? "")
  return { at: origin + pathname, query: Object.fromEntries(searchParams) }
}

describe("logout at the provider", () => {
  it("uses end_session_endpoint, and keeps its query (oidcc-client-test-rp-init-logout)", () => {
    const end_session_endpoint = "https://idp.example.com/logout?tenant=1"
    const url = buildLogoutUrl(metadata("https://idp.example.com/", { end_session_endpoint }), "app", asked)
    expect(read(url)).toEqual({
      at: "https://idp.example.com/logout",
      query: {
        tenant: "1",
        id_token_hint: "hint",
        client_id: "app",
        post_logout_redirect_uri: asked.postLogoutRedirectUri,
        state: "s&t",
      },
    })
  })

  it("sends what there is, and no state without a place to return to", () => {
    const end_session_endpoint = "https://idp.example.com/logout"
    const url = buildLogoutUrl(metadata("https://idp.example.com/", { end_session_endpoint }), "app", {
      state: "s",
    })
    expect(url).toBe("https://idp.example.com/logout?client_id=app")
  })

  it("prefers Auth0's end_session_endpoint, and falls back to /v2/logout", () => {
    const issuer = "https://tenant.eu.auth0.com/"
    expect(read(buildLogoutUrl(metadata(issuer), "app", asked))).toEqual({
      at: "https://tenant.eu.auth0.com/v2/logout",
      query: { client_id: "app", returnTo: "https://app.example.com/bye?a=1&state=s%26t" },
    })
    expect(buildLogoutUrl(metadata(issuer), "app", {})).toBe(
      "https://tenant.eu.auth0.com/v2/logout?client_id=app",
    )
    const both = metadata(issuer, { end_session_endpoint: `${issuer}oidc/logout` })
    expect(read(buildLogoutUrl(both, "app", asked)).at).toBe("https://tenant.eu.auth0.com/oidc/logout")
  })

  it("knows an Auth0 tenant with a domain of its own", () => {
    const issuer = "https://login.example.com/"
    const own = metadata(issuer, { mfa_challenge_endpoint: `${issuer}mfa/challenge` })
    expect(buildLogoutUrl(own, "app", {})).toBe("https://login.example.com/v2/logout?client_id=app")
  })

  it.each(["https://login.example.com/", "https://evilauth0.com/", "https://auth0.com.evil.example/"])(
    "has nothing to offer at %s",
    (issuer) => {
      expect(buildLogoutUrl(metadata(issuer), "app", asked)).toBeNull()
    },
  )
})
