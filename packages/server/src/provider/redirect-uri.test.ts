import { describe, expect, it } from "vitest"
import { redirectUriMatcher } from "./redirect-uri.js"

const allows = redirectUriMatcher([
  "com.example.app://auth/callback",
  "https://app.example.com/callback",
  "http://127.0.0.1/callback",
  "http://[::1]:8080/callback?a=1",
  "http://localhost:3000/callback",
])

describe("C5 redirect URIs", () => {
  it.each([
    "com.example.app://auth/callback",
    "https://app.example.com/callback",
    "http://127.0.0.1/callback",
    "http://127.0.0.1:1/callback",
    "http://127.0.0.1:65535/callback",
    "http://[::1]/callback?a=1",
    "http://[::1]:49152/callback?a=1",
    "http://localhost:3000/callback",
  ])("C5 admits %s", (uri) => {
    expect(allows(uri)).toBe(true)
  })

  it.each([
    "",
    "com.example.app://auth/callback/",
    "com.example.app://auth/callback?x=1",
    "COM.example.app://auth/callback",
    "https://app.example.com/callback/",
    "https://app.example.com/callback/../evil",
    "https://app.example.com/callback%2e",
    "https://app.example.com/Callback",
    "https://app.example.com:443/callback",
    "https://app.example.com:8443/callback",
    "https://app.example.com.evil.example/callback",
    "https://user@app.example.com/callback",
    "https://app.example.com/callback#",
    " https://app.example.com/callback",
    "https://app.example.com/callback\n",
    "http://app.example.com/callback",
    "http://127.0.0.1:0/callback",
    "http://127.0.0.1:65536/callback",
    "http://127.0.0.1:080/callback",
    "http://127.0.0.1:80:81/callback",
    "http://127.0.0.1:/callback",
    "http://127.0.0.1:80@evil.example/callback",
    "http://127.0.0.1.evil.example/callback",
    "http://127.0.0.2/callback",
    "http://127.1/callback",
    "http://127.0.0.1:9000/callback/",
    "http://127.0.0.1:9000/callback\n",
    "http://[::1]:9000/callback",
    "https://127.0.0.1/callback",
    "http://localhost:3001/callback",
  ])("C5 refuses %j", (uri) => {
    expect(allows(uri)).toBe(false)
  })

  it("C5 lets nothing follow the port where the registered URI has no path", () => {
    const bare = redirectUriMatcher(["http://127.0.0.1"])
    expect(bare("http://127.0.0.1:9000")).toBe(true)
    for (const uri of [
      "http://127.0.0.1.evil.example",
      "http://127.0.0.1:9000@evil.example",
      "http://127.0.0.1/",
    ])
      expect(bare(uri)).toBe(false)
  })
})
