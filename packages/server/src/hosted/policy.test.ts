import { expect, it } from "vitest"
import { checkedAction, checkedNonce, checkedOrigin, checkedTarget } from "./policy.js"

it.each([
  "com.example.app://auth/callback?handoff=a&state=b",
  "com.example.app:/callback?handoff=a",
  "https://app.example.com/callback?handoff=a",
  "http://127.0.0.1:7123/callback?handoff=a",
  "http://[::1]:7123/?handoff=a",
])("a page may lead to %s, unchanged", (target) => {
  expect(checkedTarget(target)).toBe(target)
})

it.each([
  "javascript:alert(1)",
  "JaVaScRiPt:alert(1)",
  " javascript:alert(1)",
  "java\nscript:alert(1)",
  "\u0001javascript:alert(1)",
  "javascript://example.com/%0aalert(1)",
  "data:text/html,<script>alert(1)</script>",
  "vbscript:x",
  "blob:https://a.example/1",
  "file:///etc/passwd",
  "about:blank",
  "http://app.example.com/callback",
  "http://127.0.0.1.evil.example/",
  "https://user:password@app.example.com/",
  "https://user@app.example.com/",
  "https://:password@app.example.com/",
  "//evil.example/callback",
  "/callback",
  "",
])("J1: no page leads to %j, and the refusal does not repeat it", (target) => {
  expect(() => checkedTarget(target)).toThrow(
    new TypeError("A page was given a target that no browser may be sent to."),
  )
})

it.each(["https://app.example.com", "http://127.0.0.1:3000", "http://[::1]:3000", "capacitor://localhost"])(
  "%s is an origin",
  (origin) => {
    expect(checkedOrigin(origin)).toBe(origin)
  },
)

it.each([
  "*",
  "null",
  "'self'",
  "https://*.example.com",
  "https://a.example;script-src *",
  "https://a.example, default-src *",
  "https://a.example https://b.example",
  "https://a.example\nX-Header: 1",
  "https://a.example/path",
  "https://user@a.example",
  "https:",
  "",
])("J2, J5: %j is no origin that a policy could name", (origin) => {
  expect(() => checkedOrigin(origin)).toThrow(TypeError)
})

it.each(["/auth/login/x", "x", "https://api.example.com/auth/login/x", "http://127.0.0.1:3000/x"])(
  "a form may post to %s",
  (action) => {
    expect(checkedAction(action)).toBe(action)
  },
)

it.each(["javascript:alert(1)", "data:text/html,x", "mailto:a@b.example", "https://"])(
  "no form posts to %s",
  (action) => {
    expect(() => checkedAction(action)).toThrow(TypeError)
  },
)

it.each(["", "short", "a' 'unsafe-inline", 'abcdefghijklmnop"', "abcdefghijklmnopqrstuv\n"])(
  "J5: %j is no nonce",
  (nonce) => {
    expect(() => checkedNonce(nonce)).toThrow(TypeError)
  },
)
