import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { ENGLISH } from "../config/page-strings.js"
import { escapeHtml, fill } from "./html.js"
import { type PageOptions, type PageView, renderPage } from "./page.js"

const nonce = "Zx3-_abcdefghijklmnopq"
const options: PageOptions = { name: "Acme", color: "#0f766e", strings: ENGLISH, lang: "en", nonce }
const target = "com.example.app://cb?handoff=h&state=s"
const message = { type: "pkce", handoff: "h", state: "s", iss: "https://api.example.com/auth" } as const

const VIEWS = {
  confirm: {
    view: "confirm",
    device: "Television",
    provider: "main",
    code: "7KQ2-M9XD",
    action: "/auth/login/x",
    token: "t",
  },
  leaving: { view: "leaving", provider: "main", target: "https://idp.example.com/authorize?a=1&b=2" },
  return: { view: "return", target },
  message: { view: "message", message, origin: null, failed: false },
  "message to an origin": { view: "message", message, origin: "https://app.example.com", failed: false },
  "message of a failure": { view: "message", message, origin: null, failed: true },
  done: { view: "done" },
  failed: { view: "failed", text: "expiredText", errorId: "0123456789abcdef" },
  "failed, back to the app": { view: "failed", text: "deniedText", errorId: null, target },
} satisfies Record<string, PageView>
const views = Object.entries<PageView>(VIEWS)

const directives = (headers: Record<string, string>) =>
  Object.fromEntries(
    (headers["Content-Security-Policy"] ?? "").split("; ").map((one) => {
      const [name = "", ...sources] = one.split(" ")
      return [name, sources.join(" ")]
    }),
  )

const decoded = (html: string) =>
  html
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&quot;/g, '"')
    .replace(/&#39;/g, "'")
    .replace(/&amp;/g, "&")

/** Every tag with the names of its attributes, but for `bdi`: what must be the same whatever the names on the page are. */
const skeleton = (html: string) =>
  html
    .replace(/<\/?bdi>/g, "")
    .replace(/<(style|script)\b([^>]*)>.*?<\/\1>/gs, "<$1$2></$1>")
    .match(/<[^>]*>/g)
    ?.map((tag) => tag.replace(/="[^"]*"/g, "="))

describe("every view", () => {
  it.each(views)("%s: is one small page that asks for nothing else", (_, view) => {
    const { html } = renderPage(view, options)
    expect(Buffer.byteLength(html)).toBeLessThan(6000)
    expect(html).toMatch(/^<!doctype html>\n<html lang="en" dir="ltr">/)
    expect(html.match(/<h1>/g)).toHaveLength(1)
    expect(html).toContain('<meta name="viewport" content="width=device-width,initial-scale=1">')
    expect(html).toContain('<meta name="color-scheme" content="light dark">')
    expect(html).not.toMatch(/ (?:src|style|on\w+)=|<(?:link|img|iframe|object|base)\b/)
    expect(html).not.toMatch(/\{\w+\}(?![^<]*<\/style>)(?![^<]*<\/script>)/)
    for (const [, attributes] of html.matchAll(/<(?:style|script)\b([^>]*)>/g))
      expect(attributes).toContain(`nonce="${nonce}"`)
  })

  it.each(views)("J5 %s: the policy allows what the page has and nothing more", (name, view) => {
    const { html, headers } = renderPage(view, options)
    const scripted = /return|message|back/.test(name)
    const origin = name === "message to an origin" ? "https://app.example.com" : null
    expect(html.includes("<script")).toBe(scripted)
    expect(directives(headers)).toEqual({
      "default-src": "'none'",
      ...(scripted ? { "script-src": `'nonce-${nonce}'` } : {}),
      "style-src": `'nonce-${nonce}'`,
      "base-uri": "'none'",
      "form-action": name === "confirm" ? "'self'" : "'none'",
      "frame-ancestors": origin ?? "'none'",
    })
    expect(headers["X-Frame-Options"]).toBe(origin ? undefined : "DENY")
    expect(headers["Referrer-Policy"]).toBe(name === "confirm" ? "same-origin" : "no-referrer")
    expect(headers).toMatchObject({
      "Content-Type": "text/html; charset=utf-8",
      "Cross-Origin-Resource-Policy": "same-origin",
    })
    expect(headers["Permissions-Policy"]).toMatch(/^(?:[a-z-]+=\(\)(?:, )?)+$/)
    expect(headers).not.toHaveProperty("Cross-Origin-Opener-Policy")
  })
})

describe("J5: nothing that is put in becomes more than text", () => {
  const hostile = fc
    .array(
      fc.oneof(
        fc.constantFrom(
          "<script>alert(1)</script>",
          "</script>",
          "</title>",
          "</style>",
          "<!--",
          "]]>",
          '" onload="x',
          "' autofocus '",
          "&lt;",
          "&",
          "{app}",
          "{device}",
          "$&",
          "$1",
          "\u2028",
          "\u2029",
          "\u202e",
          "\u0000",
          "\r\n",
          "`${",
        ),
        fc.string({ unit: "binary", maxLength: 8 }),
      ),
      { maxLength: 6 },
    )
    .map((parts) => parts.join(""))

  it("names, devices, providers, tokens, error ids and the team's words", () => {
    fc.assert(
      fc.property(hostile, hostile, (one, other) => {
        const strings = {
          ...ENGLISH,
          confirmTitle: `${one} {device}`,
          confirmText: `{app} ${other} {provider}`,
        }
        const at = { ...options, name: one, strings, lang: other }
        const confirm = { ...VIEWS.confirm, device: one, provider: other, code: one, token: other }
        for (const [view, harmless] of [
          [confirm, VIEWS.confirm],
          [{ ...VIEWS.leaving, provider: one }, VIEWS.leaving],
          [{ ...VIEWS.failed, errorId: one }, VIEWS.failed],
        ] as const) {
          const { html } = renderPage(view, at)
          expect(skeleton(html)).toEqual(skeleton(renderPage(harmless, options).html))
          const read = html.replace(/<[^>]*>|\n/g, "")
          expect(read).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u)
        }
        const posted = /name="confirm" value="([^"]*)"/.exec(renderPage(confirm, at).html)?.[1]
        expect(decoded(posted ?? "")).toBe(other)
      }),
    )
  })

  it("a message reaches the script as it was, out of an attribute", () => {
    fc.assert(
      fc.property(hostile, hostile, (one, other) => {
        const sent = { type: "pkce" as const, handoff: one, state: other, [`x${one}`]: other }
        const { html } = renderPage({ ...VIEWS.message, message: sent }, options)
        expect(skeleton(html)).toEqual(skeleton(renderPage(VIEWS.message, options).html))
        expect(JSON.parse(decoded(/data-message="([^"]*)"/.exec(html)?.[1] ?? ""))).toEqual(sent)
      }),
    )
  })

  it("a target is a link as it is, or there is no page", () => {
    fc.assert(
      fc.property(hostile, (one) => {
        const href = `com.example.app://cb?handoff=${one}`
        const { html } = renderPage({ view: "return", target: href }, options)
        expect(skeleton(html)).toEqual(skeleton(renderPage(VIEWS.return, options).html))
        expect(decoded(/href="([^"]*)"/.exec(html)?.[1] ?? "")).toBe(new URL(href).href)
      }),
    )
    for (const view of ["leaving", "return", "failed"] as const)
      expect(() =>
        renderPage({ ...VIEWS[view], target: "javascript:alert(1)" } as PageView, options),
      ).toThrow(TypeError)
    expect(() => renderPage({ ...VIEWS.confirm, action: "javascript:alert(1)" }, options)).toThrow(TypeError)
    expect(() => renderPage({ ...VIEWS.message, origin: "*" }, options)).toThrow(TypeError)
    expect(() => renderPage(VIEWS.done, { ...options, nonce: "x" })).toThrow(TypeError)
    expect(() => renderPage(VIEWS.done, { ...options, color: "red" })).toThrow(TypeError)
  })

  it("a script is always the same text", () => {
    const scripts = (view: PageView) =>
      renderPage(view, options)
        .html.match(/(?<=<script[^>]*>).*?(?=<\/script>)/gs)
        ?.join()
    expect(
      scripts({ ...VIEWS.message, message: { type: "pkce", error: "x" }, origin: "https://b.example" }),
    ).toBe(scripts(VIEWS.message))
    expect(scripts(VIEWS["failed, back to the app"])).toBe(scripts(VIEWS.return))
  })
})

describe("what the views say", () => {
  const text = (view: PageView, other: Partial<PageOptions> = {}) =>
    decoded(
      renderPage(view, { ...options, ...other })
        .html.replace(/^.*<main>/s, "")
        .replace(/<script.*$/s, "")
        .replace(/<[^>]*>/g, ""),
    )

  it("confirm names the device, shows the code large and spells it, and posts the token", () => {
    const { html } = renderPage(VIEWS.confirm, options)
    expect(text(VIEWS.confirm)).toContain("Log in on Television?")
    expect(html).toContain('role="img" aria-label="7, K, Q, 2, M, 9, X, D">7KQ2-M9XD</p>')
    expect(html).toContain('<form method="post" action="/auth/login/x">')
    expect(html).toContain('<input type="hidden" name="confirm" value="t" autocomplete="off">')
    expect(text({ ...VIEWS.confirm, device: null })).toContain("Log in on another device?")
    expect(directives(renderPage(VIEWS.confirm, options).headers)["form-action"]).toBe("'self'")
  })

  it("a device's name that is a letter of its own is cut, by whole characters", () => {
    const long = text({ ...VIEWS.confirm, device: "😀".repeat(300) })
    expect(long).toContain(`Log in on ${"😀".repeat(63)}…?`)
    expect(text({ ...VIEWS.confirm, device: "😀".repeat(64) })).toContain(`Log in on ${"😀".repeat(64)}?`)
  })

  it("leaving goes on by itself, and by its button", () => {
    const { html } = renderPage(VIEWS.leaving, options)
    const escaped = "https://idp.example.com/authorize?a=1&amp;b=2"
    expect(html).toContain(`<meta http-equiv="refresh" content="0;url=${escaped}">`)
    expect(html).toContain(`<a class="button" href="${escaped}">Continue</a>`)
    expect(text(VIEWS.leaving)).toContain("Taking you to main")
  })

  it("a failure says which, shows its id, and leads back only where there is a way", () => {
    expect(text(VIEWS.failed)).toContain("This login has ended.")
    expect(text(VIEWS.failed)).toContain("Error code 0123456789abcdef")
    expect(renderPage(VIEWS.failed, options).html).not.toContain("<a ")
    expect(text(VIEWS["failed, back to the app"])).toContain("Open Acme")
    expect(text(VIEWS["failed, back to the app"])).not.toContain("Error code")
    expect(text(VIEWS["message of a failure"])).toContain("The login did not work")
  })

  it("without a name it is the app, and in the words' own language and direction", () => {
    expect(text(VIEWS.return, { name: null })).toContain("Open the app")
    expect(text(VIEWS.done)).toMatch(/^\s*Acme\n/)
    expect(text(VIEWS.done, { name: null })).not.toContain("Acme")
    expect(renderPage(VIEWS.done, { ...options, lang: "ar" }).html).toContain('<html lang="ar" dir="rtl">')
  })
})

it("a name is one pass: braces in it stay braces, and members of every object are no names", () => {
  expect(fill("{app} {device} {constructor}", { app: "{device}", device: "<b>" })).toBe(
    "<bdi>{device}</bdi> <bdi>&lt;b&gt;</bdi> {constructor}",
  )
  expect(escapeHtml(`<&>"'`)).toBe("&lt;&amp;&gt;&quot;&#39;")
})
