import { describe, expect, it } from "vitest"
import { type AuthorizationUrlOptions, createAuthorizationUrl } from "./authorization-url.js"

const options: AuthorizationUrlOptions = {
  authorizationEndpoint: "https://id.example.com/authorize",
  clientId: "app",
  redirectUri: "com.example.app://auth/callback",
  state: "s",
  nonce: "n",
  codeChallenge: "c",
}

const codeOf = (more: Partial<AuthorizationUrlOptions>) => {
  try {
    createAuthorizationUrl({ ...options, ...more })
    return "accepted"
  } catch (error) {
    return (error as { code?: string }).code
  }
}

describe("createAuthorizationUrl", () => {
  it("A2 always asks with S256, each parameter once", () => {
    const url = new URL(
      createAuthorizationUrl({ ...options, scope: "openid a&b", params: { prompt: "login now" } }),
    )
    expect([...url.searchParams]).toEqual([
      ["prompt", "login now"],
      ["client_id", "app"],
      ["redirect_uri", options.redirectUri],
      ["scope", "openid a&b"],
      ["state", "s"],
      ["nonce", "n"],
      ["code_challenge", "c"],
      ["response_type", "code"],
      ["code_challenge_method", "S256"],
    ])
  })

  it.each([
    ["https://id.example.com/a", "https://id.example.com/a?client_id="],
    ["https://id.example.com/a?", "https://id.example.com/a?client_id="],
    ["https://id.example.com/a?t=1", "https://id.example.com/a?t=1&client_id="],
    ["https://id.example.com", "https://id.example.com?client_id="],
  ])("goes on from the endpoint %s", (authorizationEndpoint, start) => {
    expect(createAuthorizationUrl({ ...options, authorizationEndpoint }).startsWith(start)).toBe(true)
  })

  it.each([
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "request",
    "request_uri",
    "client_assertion",
  ])("A5 refuses %s among the app's parameters and in the endpoint", (name) => {
    expect(codeOf({ params: { [name]: "x" } })).toBe("reserved_parameter")
    expect(codeOf({ authorizationEndpoint: `https://id.example.com/a?${name}=x` })).toBe("reserved_parameter")
  })

  it("A5 leaves out what has no value, which is no name twice either", () => {
    const url = createAuthorizationUrl({
      ...options,
      authorizationEndpoint: "https://id.example.com/a?prompt=none",
      params: { prompt: undefined },
    })
    expect(new URL(url).searchParams.getAll("prompt")).toEqual(["none"])
  })

  it("A5 refuses one name twice", () => {
    expect(codeOf({ authorizationEndpoint: "https://id.example.com/a?t=1&t=2" })).toBe("reserved_parameter")
    expect(codeOf({ authorizationEndpoint: "https://id.example.com/a?t=1", params: { t: "2" } })).toBe(
      "reserved_parameter",
    )
  })

  it("A5 a value cannot bring a parameter along", () => {
    const url = createAuthorizationUrl({ ...options, params: { login_hint: "a&client_id=evil#x" } })
    expect(new URL(url).searchParams.getAll("client_id")).toEqual(["app"])
    expect(codeOf({ params: { login_hint: "\ud800" } })).toBe("invalid_request")
  })

  it.each([
    "http://id.example.com/authorize",
    "javascript:alert(1)",
    "//id.example.com/authorize",
    "https:id.example.com",
    "https://user@id.example.com/",
    "https://id.example.com\\@evil.example/",
    "https://id.example.com/#x",
    "https://id.example.com/a b",
    "http://localhost.evil.example/",
    "http://127.0.0.1.evil.example/",
    "https://id.example.com/?%",
    "",
  ])("A8 refuses the endpoint %j", (authorizationEndpoint) => {
    expect(codeOf({ authorizationEndpoint })).toBe("insecure_endpoint")
  })

  it.each(["http://127.0.0.1:8080/a", "http://[::1]/a", "http://localhost:1/a", "HTTPS://ID.example.com/a"])(
    "A8 accepts %s",
    (authorizationEndpoint) => {
      expect(codeOf({ authorizationEndpoint })).toBe("accepted")
    },
  )
})

it("A5 names that only look like the protocol's are the app's own", () => {
  for (const name of ["scope_hint", "states", "nonce2", "my_state", "x_request", "no_client_id"])
    expect(codeOf({ params: { [name]: "x" } })).toBe("accepted")
})

it("asks for OpenID Connect unless told otherwise, and without a nonce where there is none", () => {
  const { searchParams } = new URL(createAuthorizationUrl({ ...options, nonce: undefined }))
  expect(searchParams.get("scope")).toBe("openid")
  expect(searchParams.has("nonce")).toBe(false)
})
