import { expect, it } from "vitest"
import { answerOf, isLoopback, returnUrl } from "./return-url.js"

it.each([
  ["com.example.app:/callback", "com.example.app:/callback?handoff=h&state=s"],
  ["com.example.app://callback", "com.example.app://callback?handoff=h&state=s"],
  ["com.Example.App:callback", "com.Example.App:callback?handoff=h&state=s"],
  ["https://app.example.com", "https://app.example.com?handoff=h&state=s"],
  ["https://app.example.com/a/../b?x=%2F", "https://app.example.com/a/../b?x=%2F&handoff=h&state=s"],
])("J1: %s stays as it is, byte for byte, before the answer", (redirectUri, url) => {
  expect(returnUrl(redirectUri, { handoff: "h", state: "s" })).toBe(url)
})

it("J1: a value cannot add a parameter or leave the query", () => {
  const url = returnUrl("com.example.app:/callback", { state: "a&handoff=x#y z", iss: "https://x/?a=b" })
  expect(url).toBe("com.example.app:/callback?state=a%26handoff%3Dx%23y%20z&iss=https%3A%2F%2Fx%2F%3Fa%3Db")
})

it.each([
  ["http://127.0.0.1", true],
  ["http://127.0.0.1:49152/callback", true],
  ["http://[::1]:1/x?y", true],
  ["http://localhost?x", true],
  ["https://127.0.0.1/", false],
  ["http://127.0.0.1.evil.example/", false],
  ["http://127.0.0.1@evil.example/", false],
  ["http://localhost.evil.example/", false],
  ["xhttp://127.0.0.1/", false],
  ["com.example.app:/http://127.0.0.1/", false],
])("J1: %s is a loopback listener: %s", (uri, expected) => {
  expect(isLoopback(uri)).toBe(expected)
})

it("says who speaks, and to which login", () => {
  expect(answerOf({ handoff: "h" }, "s", "https://api.example.com/auth")).toEqual({
    handoff: "h",
    state: "s",
    iss: "https://api.example.com/auth",
  })
  expect(answerOf({ error: "access_denied" }, "s", "i")).toEqual({
    error: "access_denied",
    state: "s",
    iss: "i",
  })
})
