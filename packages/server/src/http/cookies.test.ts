import { expect, it } from "vitest"
import type { Config } from "../config/config.js"
import { createCookies, sessionCookies } from "./cookies.js"
import type { HttpRequest } from "./message.js"

const request = (cookie?: string): HttpRequest => ({
  method: "GET",
  path: "/",
  query: "",
  header: (name) => (name === "cookie" ? cookie : undefined),
  body: async () => ({ kind: "bytes", bytes: new Uint8Array() }),
  address: undefined,
})

it.each([
  [undefined, undefined],
  ["", undefined],
  ["__Host-pkce-a=1", "1"],
  ["x; __Host-pkce-a=1;y=2", "1"],
  ["  __Host-pkce-a =  1  ", "1"],
  ["__Host-pkce-a=1=2", "1=2"],
  ["__Host-pkce-a=", ""],
  ["__host-pkce-a=1", undefined],
  ["pkce-a=1", undefined],
  ["__Host-pkce-a", undefined],
  ["__Host-pkce-ax", undefined],
  ["=; __Host-pkce-a=1", "1"],
  ["__Host-pkce-ab=1", undefined],
  ["__Host-pkce-a=1; __Host-pkce-a=1", undefined],
  ["__Host-pkce-a=1; __Host-pkce-a=2; __Host-pkce-a=1", undefined],
  ["__Host-pkce-a=1; __proto__=2", "1"],
])("J6: of %j it reads %j", (cookie, value) => {
  expect(createCookies(request(cookie)).get("a")).toBe(value)
})

it("J6: deletes what is there, and sets nothing unasked", () => {
  const cookies = createCookies(request("__Host-pkce-a=1"))
  cookies.check()
  cookies.drop("b")
  expect(cookies.headers()).toEqual({})
  cookies.drop("a")
  expect(cookies.headers()).toEqual({
    "Set-Cookie": "__Host-pkce-a=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure",
  })
})

it("J6: over plain http there is no prefix and no Secure, and the prefixed name is not read", () => {
  const cookies = createCookies(request("pkce-a=1; __Host-pkce-b=2"), false)
  expect([cookies.get("a"), cookies.get("b")]).toEqual(["1", undefined])
  cookies.set("a", "x", 60)
  expect(cookies.headers()).toEqual({ "Set-Cookie": "pkce-a=x; Path=/; HttpOnly; SameSite=Lax; Max-Age=60" })
})

it("C12: for a page that may not use them, every way to read or set one is shut, and only a logout deletes", () => {
  const config = { url: "https://api.example.com/auth", allowedOrigins: [] } as unknown as Config
  const cookies = sessionCookies(request("__Host-pkce-a=1"), config)
  for (const use of [() => cookies.check(), () => cookies.get("a"), () => cookies.set("a", "x", 60)])
    expect(use).toThrow(expect.objectContaining({ code: "origin_not_allowed" }))
  expect(cookies.headers()).toEqual({})
  cookies.drop("a")
  expect(cookies.headers()["Set-Cookie"]).toContain("Max-Age=0")
})
