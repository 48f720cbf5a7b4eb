import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { click, type Hosted, startHosted, targetOf } from "./support/hosted.js"
import { random, s256 } from "./support/server.js"

let hosted: Hosted

beforeAll(async () => {
  hosted = await startHosted()
})
afterAll(() => hosted.close())

describe("redirect", () => {
  it("takes a login through the backend's own callback to a session that can be refreshed", async () => {
    const login = await hosted.start({ device: { name: "Ada's phone" } })
    expect(login).toMatchObject({
      authorize_url: `${hosted.url}/login/${login.login_id}`,
      expires_in: 600,
      poll_interval: 2,
    })
    const browser = hosted.browser()
    const page = await browser.open(login.authorize_url)
    expect(page.status).toBe(200)
    const target = targetOf(page)
    expect(target.href.split("?")[0]).toBe("com.example.app:/callback")
    expect(target.searchParams.get("state")).toBe(login.state)
    expect(target.searchParams.get("iss")).toBe(hosted.url)
    const line = random()
    const request = {
      login_id: login.login_id,
      handoff: target.searchParams.get("handoff"),
      code_verifier: login.verifier,
      session_challenge: s256(line),
    }
    const { status, body: grant } = await hosted.post("/redeem", request)
    expect(status).toBe(200)
    expect(grant).toMatchObject({ token_type: "Bearer", user_info: { idp_sub: "ada" } })
    const again = await hosted.post("/redeem", request)
    expect(again.body.refresh_token).toBe(grant.refresh_token)
    const next = await hosted.post("/refresh", {
      refresh_token: grant.refresh_token,
      session_verifier: line,
      session_challenge: s256(random()),
    })
    expect(next.status).toBe(200)
    const sessions = await hosted.auth.sessions.list(grant.user_info.sub)
    expect(sessions.find(({ sid }) => sid === grant.session_id)?.device).toEqual({
      name: "Ada's phone",
      ip: "127.0.0.0",
    })
  })
})

it("gives the handoff to the browser that came back first, and to no other that opens the login", async () => {
  const login = await hosted.start()
  const browser = hosted.browser()
  const page = await browser.open(login.authorize_url)
  const other = await hosted.browser().open(login.authorize_url)
  expect(other.status).toBe(400)
  expect(other.html).not.toContain("handoff")
  const reload = await browser.open(page.url)
  expect(targetOf(reload).href).toBe(targetOf(page).href)
})

describe("poll", () => {
  it("answers 202 until the user has clicked and logged in, then with a session, and again with the same", async () => {
    const login = await hosted.start({ delivery: "poll", device: { name: "Ada's television" } })
    const line = random()
    const poll = () =>
      hosted.post("/poll", {
        login_id: login.login_id,
        code_verifier: login.verifier,
        session_challenge: s256(line),
      })
    expect(await poll()).toMatchObject({ status: 202, body: { status: "pending" } })
    const browser = hosted.browser()
    const page = await browser.open(login.authorize_url)
    expect(page.html).toContain("television")
    expect(await poll()).toMatchObject({ status: 202 })
    const done = await click(browser, page)
    expect(done).toMatchObject({ status: 200 })
    const first = await poll()
    expect(first).toMatchObject({ status: 200, body: { user_info: { idp_sub: "ada" } } })
    expect((await poll()).body.refresh_token).toBe(first.body.refresh_token)
  })
})
