import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { call, type Fixture, parsed, startServer, wire } from "./support/server.js"

const RETURN = "https://app.example.com/bye"

let fixture: Fixture
beforeEach(async () => {
  fixture = await startServer({ postLogoutRedirectUris: [RETURN] })
})
afterEach(() => fixture.close())

/** Signs in, signs out, and goes where the browser is sent: what the provider got, and where it sends the browser back. */
async function logOut(state?: string) {
  const grant = await fixture.auth.exchange(wire(fixture.login()))
  const headers = { authorization: `Bearer ${grant.session_token}` }
  const body = { post_logout_redirect_uri: RETURN, ...(state !== undefined && { state }) }
  const answer = parsed(await call(fixture.auth, { path: "/logout", headers, body }))
  const ours = await call(fixture.auth, { method: "GET", path: `/${String(answer.logout_url)}` })
  const asked = new URL(ours.headers.Location ?? "")
  const theirs = await fetch(asked, { redirect: "manual" })
  const me = () => call(fixture.auth, { method: "GET", path: "/session", headers })
  return { grant, answer, asked: asked.searchParams, back: theirs.headers.get("location"), me }
}

const claimsOf = (jwt: string) => JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString())

describe("RP-Initiated Logout 1.0", () => {
  it("oidcc-client-test-rp-init-logout: hint of this very login, registered return, state", async () => {
    const { grant, answer, asked, back } = await logOut("opaque")
    expect(claimsOf(asked.get("id_token_hint") ?? "")).toMatchObject({
      iss: fixture.idp.issuer,
      sub: grant.user_info?.idp_sub,
    })
    expect(asked.get("post_logout_redirect_uri")).toBe(RETURN)
    expect(asked.get("client_id")).toBe(fixture.idp.clientId)
    expect(back).toBe(`${RETURN}?state=opaque`)
    expect(JSON.stringify(answer)).not.toContain(asked.get("id_token_hint"))
  })

  it.each([
    ["oidcc-client-test-rp-init-logout-other-state", "another"],
    ["oidcc-client-test-rp-init-logout-no-state", undefined],
  ])("%s: whatever comes back, the session is over", async (_, returned) => {
    const { back, me } = await logOut("opaque")
    const url = new URL(back ?? "")
    if (returned === undefined) url.searchParams.delete("state")
    else url.searchParams.set("state", returned)
    // The return is a page of the app's; it never was what ended the session.
    expect(url.href.startsWith(RETURN)).toBe(true)
    expect((await me()).status).toBe(401)
  })

  it("I2: no return that is not on the list, and then nothing has ended", async () => {
    const grant = await fixture.auth.exchange(wire(fixture.login()))
    const headers = { authorization: `Bearer ${grant.session_token}` }
    const body = { post_logout_redirect_uri: "https://evil.example/" }
    expect((await call(fixture.auth, { path: "/logout", headers, body })).status).toBe(400)
    expect((await call(fixture.auth, { method: "GET", path: "/session", headers })).status).toBe(200)
  })
})
