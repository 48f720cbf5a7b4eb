import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { ENGLISH } from "../../src/config/page-strings.js"
import {
  backOf,
  type HostedRoom,
  handoffOf,
  MOUNT,
  openHosted,
  PAGE,
  tokenOf,
} from "../support/hosted-room.js"
import { random } from "../support/server.js"

let room: HostedRoom
beforeEach(async () => {
  room = await openHosted()
})
afterEach(() => room.close())

describe("J5, J6, J8: pages, flow cookies, redirects", () => {
  /** Every page there is, by what it is. */
  async function pages() {
    const [redirect, webview, polled] = [
      await room.start(),
      await room.start({ delivery: "webview" }),
      await room.start({ delivery: "poll" }),
    ]
    const browser = room.browser()
    const confirm = await browser.visit(polled.authorize_url)
    const callback = await browser.logIn(redirect)
    return {
      leaving: await browser.visit(redirect.authorize_url),
      confirm,
      clicked: await browser.click(polled.authorize_url, String(tokenOf(confirm))),
      return: await browser.visit(callback),
      message: await browser.finish(webview),
      done: await browser.finish(polled),
      stranger: await room.browser().visit(callback),
      unknown: await browser.visit(`${MOUNT}/login/${random().slice(0, 22)}`),
      nothing: await browser.visit(`${MOUNT}/callback`),
    }
  }

  it("J5: every page has a strict policy of its own nonce, says where it came from to nobody, and is not kept", async () => {
    const nonces = new Set<string>()
    for (const [name, { headers, body }] of Object.entries(await pages())) {
      const policy = String(headers["Content-Security-Policy"])
      expect([name, policy]).toEqual([name, expect.stringMatching(/^default-src 'none'; /)])
      expect(policy).toContain("base-uri 'none'")
      expect(policy).toContain("frame-ancestors 'none'")
      expect(policy).not.toMatch(/unsafe|\*/)
      const [, nonce = ""] = /style-src 'nonce-([\w-]{22})'/.exec(policy) ?? []
      nonces.add(nonce)
      expect(body.match(/<(?:script|style)/g)).toHaveLength(body.split(`nonce="${nonce}"`).length - 1)
      expect(headers).toMatchObject({
        "Cache-Control": "no-store",
        "Content-Type": "text/html; charset=utf-8",
        "Referrer-Policy": name === "confirm" ? "same-origin" : "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        Vary: "Origin, Cookie",
      })
      expect(policy.includes("form-action 'none'")).toBe(name !== "confirm")
    }
    expect(nonces.size).toBe(9)
  })

  it("J5: what the browser, the app or the provider writes is on no page as HTML", async () => {
    const evil = `"><img src=x onerror=alert(1)>`
    const login = await room.start({ delivery: "poll", device: { name: evil }, login_hint: evil })
    const browser = room.browser()
    const shown = [
      await browser.visit(`${login.authorize_url}?x=${evil}`),
      await browser.visit(`${MOUNT}/callback?state=${evil}&error=${evil}&error_description=${evil}`),
      await browser.visit(`${(await browser.logIn(login)).replace(/code=[^&]*&/, "")}&error=${evil}`),
    ]
    for (const { body } of shown) expect(body).not.toContain("<img")
    expect(shown[0]?.body).toContain("&lt;img")
  })

  it("J6: the flow cookie is for this host and this login alone, ten minutes, and no script reads it", async () => {
    const login = await room.start()
    const browser = room.browser()
    const { headers } = await browser.visit(login.authorize_url)
    const [pair, ...attributes] = String(headers["Set-Cookie"]).split("; ")
    expect(pair).toMatch(new RegExp(`^__Host-pkce-login-${login.login_id}=[\\w-]{43}$`))
    expect(attributes.sort()).toEqual(["HttpOnly", "Max-Age=600", "Path=/", "SameSite=Lax", "Secure"])
    const again = await browser.visit(login.authorize_url)
    expect(again.headers["Set-Cookie"]).toBe(headers["Set-Cookie"])
    expect(again.headers.Location).toBe(headers.Location)
  })

  it.each(["x", "x".repeat(42), "x".repeat(44), `${"x".repeat(42)}!`])(
    "J6: a planted cookie that is none of ours, %s, is replaced",
    async (planted) => {
      const login = await room.start()
      const name = `__Host-pkce-login-${login.login_id}`
      const seen = new Set<string | undefined>()
      for (const cookie of [`${name}=${planted}`, `${name}=${planted}`, ""]) {
        const { headers } = await room.ask(login.authorize_url, { headers: { cookie } })
        seen.add(headers["Set-Cookie"])
        expect(headers["Set-Cookie"]).toMatch(new RegExp(`^${name}=[\\w-]{43};`))
      }
      expect(seen.size).toBe(3)
    },
  )

  it("J6: nothing that failed sets a cookie", async () => {
    room.idp.faults.discovery = { status: 503 }
    for (const url of [`${MOUNT}/login/${random().slice(0, 22)}`, `${MOUNT}/callback?state=x`])
      expect((await room.browser().visit(url)).headers["Set-Cookie"]).toBeUndefined()
  })

  it("J8: whatever redirects a browser is 303, so that no form is sent on", async () => {
    for (const [name, { status, headers }] of Object.entries(await pages()))
      expect([name, status === 303]).toEqual([name, headers.Location !== undefined])
  })

  it("J8: the handoff is on the pages that hand it over, and on no other", async () => {
    const shown = await pages()
    const handoffs = [handoffOf(shown.return), handoffOf(shown.message)]
    for (const [name, page] of Object.entries(shown))
      expect([name, handoffs.some((handoff) => JSON.stringify(page).includes(handoff))]).toEqual([
        name,
        name === "return" || name === "message",
      ])
    expect(Object.keys(backOf(shown.return))).toEqual(["handoff", "state", "iss"])
  })
})

describe("whose page it is", () => {
  it("names the app, the device and the provider, in the words and the language that were asked for", async () => {
    await room.close()
    const strings = {
      de: { confirmText: "{app} auf {device} mit {provider}", leavingTitle: "Zu {provider}" },
    }
    room = await openHosted({ hosted: { poll: true, name: "Example", strings } })
    const { host } = new URL(room.idp.origin)
    const polled = await room.start({ delivery: "poll", device: { model: "TV 9" }, ui_locales: "de" })
    const plain = (html: string) => html.replace(/<[^>]+>/g, "")
    const page = await room.browser().visit(polled.authorize_url)
    expect(plain(page.body)).toContain(`Example auf TV 9 mit ${host}`)
    const headers = { "accept-language": "de-AT, en" }
    const leaving = await room.browser().visit((await room.start()).authorize_url, { headers })
    expect(plain(leaving.body)).toContain(`Zu ${host}`)
  })

  it("says what is wrong: too late, an outage, or a refusal", async () => {
    const browser = room.browser()
    const [login, late] = [await room.start(), await room.start()]
    const callback = await browser.logIn(login)
    const refused = await room.browser().visit(callback)
    const expired = await browser.visit(late.authorize_url.slice(0, -1))
    Object.assign(room.options.store ?? {}, { peek: () => Promise.reject(new Error("gone")) })
    const outage = await browser.visit(callback)
    const texts = [refused, expired, outage].map(({ body }) => /<h1>.*<\/h1>\n<p>(.*)<\/p>/.exec(body)?.[1])
    const { failedText, expiredText, unavailableText } = ENGLISH
    const plain = texts.map((text) => text?.replace(/<[^>]+>/g, ""))
    expect(plain).toEqual(
      [failedText, expiredText, unavailableText].map((text) =>
        text.replace("{app}", "Example").replaceAll("'", "&#39;"),
      ),
    )
  })
})

describe("C11: what a browser navigates to", () => {
  beforeEach(async () => {
    await room.close()
    room = await openHosted({ allowedOrigins: [PAGE] })
  })

  it("C11: is read by no page, not even one of a listed origin: the poll delivery's confirm token stands there", async () => {
    const headers = { origin: PAGE, "access-control-request-method": "POST" }
    const { authorize_url } = await room.start({ delivery: "poll" })
    expect(tokenOf(await room.ask(authorize_url, { headers }))).not.toBeNull()
    for (const url of [authorize_url, `${MOUNT}/callback`, `${MOUNT}/logout/${random()}`])
      for (const method of ["GET", "POST", "OPTIONS"]) {
        const answer = await room.ask(url, { method, headers })
        const allowed = Object.keys(answer.headers).filter((name) => /access-control/i.test(name))
        expect([method, url, allowed]).toEqual([method, url, []])
      }
    const start = await room.post("/start", {}, { headers })
    expect(start.headers["Access-Control-Allow-Origin"]).toBe(PAGE)
  })
})
