import { describe, expect, it } from "vitest"
import { PkceError } from "../errors.js"
import { looksLikeCallback, parseCallback } from "./callback.js"

const ISSUER = "https://id.example.com/"
const expected = { redirectUri: "myapp://callback", state: "st-1", issuer: ISSUER }
const promised = { ...expected, issRequired: true }
const web = { ...expected, redirectUri: "https://app.example.com/cb" }
const iss = encodeURIComponent(ISSUER)

function outcome(url: string, with_: Parameters<typeof parseCallback>[1] = expected) {
  try {
    return parseCallback(url, with_)
  } catch (error) {
    if (!(error instanceof PkceError)) throw error
    return error.ignorable ? `${error.code} (ignored)` : error.code
  }
}

const good = { code: "c", state: "st-1" }
const padding = "x".repeat(20_000)

describe("the callback table", () => {
  it.each<[string, string, unknown, typeof promised?]>([
    ["a good answer", "myapp://callback?code=c&state=st-1", good],
    [
      "a good answer with iss",
      `myapp://callback?code=c&state=st-1&iss=${iss}`,
      { ...good, iss: ISSUER },
      promised,
    ],
    ["encoded values", "myapp://callback?code=a%2Bb+c%3D%26&state=st-1", { ...good, code: "a+b c=&" }],
    ["a value with = in it", "myapp://callback?code=c==&state=st-1", { ...good, code: "c==" }],
    ["unknown parameters", "myapp://callback?code=c&state=st-1&session_state=x&x&&y=", good],
    ["parameters in the fragment", "myapp://callback#code=c&state=st-1", good],
    ["Facebook's #_=_", "myapp://callback?code=c&state=st-1#_=_", good],
    ["three slashes", "myapp:///callback?code=c&state=st-1", good],
    ["one slash", "myapp:/callback?code=c&state=st-1", good],
    ["a slash after a bare host", "myapp://callback/?code=c&state=st-1", good],
    ["names that every object has", "myapp://callback?__proto__=x&toString=y&code=c&state=st-1", good],
    ["scheme and host in capitals", "MYAPP://Callback?code=c&state=st-1", good],
    ["https", "https://App.Example.com/cb?code=c&state=st-1", good, web as typeof promised],
    [
      "https at the root",
      "https://app.example.com/?code=c&state=st-1",
      good,
      { ...promised, issRequired: false, redirectUri: "https://app.example.com" },
    ],
    [
      "a redirect URI with a query of its own",
      "https://app.example.com/cb?t=1&code=c&state=st-1",
      good,
      { ...promised, issRequired: false, redirectUri: "https://app.example.com/cb?t=1" },
    ],
    [
      "that query with a name twice",
      "https://app.example.com/cb?t=1&t=2&code=c&state=st-1",
      good,
      { ...promised, issRequired: false, redirectUri: "https://app.example.com/cb?t=1&t=2" },
    ],
    [
      "that query changed",
      "https://app.example.com/cb?t=2&code=c&state=st-1",
      "callback_invalid (ignored)",
      { ...promised, redirectUri: "https://app.example.com/cb?t=1" },
    ],

    ["B1 another state", "myapp://callback?code=c&state=st-2", "state_mismatch (ignored)"],
    ["B1 a state that begins alike", "myapp://callback?code=c&state=st-11", "state_mismatch (ignored)"],
    ["B1 the beginning of the state", "myapp://callback?code=c&state=st-", "state_mismatch (ignored)"],
    ["B1 another first letter", "myapp://callback?code=c&state=xt-1", "state_mismatch (ignored)"],
    [
      "B1 an error with another state",
      "myapp://callback?error=access_denied&state=no",
      "state_mismatch (ignored)",
    ],
    ["B1 an error without a state", "myapp://callback?error=access_denied", "state_mismatch (ignored)"],
    ["B2 no state", "myapp://callback?code=c", "state_mismatch (ignored)"],
    ["B2 an empty state", "myapp://callback?code=c&state=", "state_mismatch (ignored)"],
    [
      "B2 no state, none expected",
      "myapp://callback?code=c",
      "state_mismatch (ignored)",
      { ...promised, state: "" },
    ],
    [
      "B2 empty, none expected",
      "myapp://callback?code=c&state=",
      "state_mismatch (ignored)",
      { ...promised, state: "" },
    ],

    [
      "B5 another iss",
      "myapp://callback?code=c&state=st-1&iss=https%3A%2F%2Fevil.example%2F",
      "issuer_mismatch",
    ],
    [
      "B5 iss without its slash",
      "myapp://callback?code=c&state=st-1&iss=https%3A%2F%2Fid.example.com",
      "issuer_mismatch",
    ],
    ["B5 an empty iss", "myapp://callback?code=c&state=st-1&iss=", "issuer_mismatch"],
    ["B5 iss promised and missing", "myapp://callback?code=c&state=st-1", "issuer_mismatch", promised],
    ["B5 an error of another issuer", "myapp://callback?error=x&state=st-1&iss=evil", "issuer_mismatch"],

    ["B6 code twice", "myapp://callback?code=c&code=evil&state=st-1", "callback_invalid"],
    ["B6 code twice, encoded name", "myapp://callback?code=c&c%6fde=evil&state=st-1", "callback_invalid"],
    ["B6 code in query and fragment", "myapp://callback?code=c&state=st-1#code=evil", "callback_invalid"],
    ["B6 iss twice", `myapp://callback?code=c&state=st-1&iss=${iss}&iss=${iss}`, "callback_invalid"],
    ["B6 error twice", "myapp://callback?error=a&error=b&state=st-1", "callback_invalid"],
    ["B6 state twice", "myapp://callback?code=c&state=st-1&state=st-1", "callback_invalid (ignored)"],
    [
      "B6 state in query and fragment",
      "myapp://callback?code=c&state=no#state=st-1",
      "callback_invalid (ignored)",
    ],
    ["B6 a token in the query", "myapp://callback?code=c&state=st-1&access_token=t", "callback_invalid"],
    ["B6 a token in the fragment", "myapp://callback?code=c&state=st-1#id_token=t", "callback_invalid"],
    ["B6 a refresh token", "myapp://callback?code=c&state=st-1&refresh_token=t", "callback_invalid"],
    [
      "B6 an error without a name, beside a code",
      "myapp://callback?code=c&state=st-1&error=",
      "authorization_error",
    ],
    [
      "B6 a handoff twice",
      "myapp://callback?handoff=h&handoff=evil&state=st-1",
      "callback_invalid",
      { ...promised, issRequired: false, parameter: "handoff" } as typeof promised,
    ],
    ["B6 a JWT response", "myapp://callback?response=ey&state=st-1", "callback_invalid"],
    ["B6 an empty code", "myapp://callback?code=&state=st-1", "callback_invalid"],
    ["B6 no code", "myapp://callback?state=st-1", "callback_invalid"],
    ["B6 another host", "myapp://callback.evil?code=c&state=st-1", "callback_invalid (ignored)"],
    ["B6 a longer path", "myapp://callback/more?code=c&state=st-1", "callback_invalid (ignored)"],
    ["B6 another scheme", "myapp2://callback?code=c&state=st-1", "callback_invalid (ignored)"],
    [
      "B6 user information",
      "https://app.example.com@evil.example/cb?code=c&state=st-1",
      "callback_invalid (ignored)",
      web as typeof promised,
    ],
    [
      "B6 a backslash",
      "https://app.example.com\\cb?code=c&state=st-1",
      "callback_invalid (ignored)",
      web as typeof promised,
    ],
    [
      "B6 http for https",
      "http://app.example.com/cb?code=c&state=st-1",
      "callback_invalid (ignored)",
      web as typeof promised,
    ],
    [
      "B6 path in other case",
      "https://app.example.com/CB?code=c&state=st-1",
      "callback_invalid (ignored)",
      web as typeof promised,
    ],
    [
      "B6 a trailing slash",
      "https://app.example.com/cb/?code=c&state=st-1",
      "callback_invalid (ignored)",
      web as typeof promised,
    ],
    [
      "B6 another port",
      "https://app.example.com:444/cb?code=c&state=st-1",
      "callback_invalid (ignored)",
      web as typeof promised,
    ],

    ["an error", "myapp://callback?error=access_denied&state=st-1", "access_denied"],
    ["another error", "myapp://callback?error=login_required&state=st-1", "authorization_error"],
    ["code and error", "myapp://callback?code=c&error=server_error&state=st-1", "authorization_error"],
    ["garbage", "not a url", "callback_invalid (ignored)"],
    ["nothing", "", "callback_invalid (ignored)"],
    ["a broken encoding", "myapp://callback?code=%&state=st-1", "callback_invalid (ignored)"],
    ["a line break", "myapp://callback?code=c\n&state=st-1", "callback_invalid (ignored)"],
    ["20 kB", `myapp://callback?code=c&state=st-1&x=${padding}`, "callback_invalid (ignored)"],
    ["no text at all", undefined as unknown as string, "callback_invalid (ignored)"],
  ])("%s", (_, url, result, with_) => {
    expect(outcome(url, with_)).toEqual(result)
  })
})

describe("B7 what the provider says", () => {
  const failure = (query: string) => {
    try {
      parseCallback(`myapp://callback?state=st-1&${query}`, expected)
    } catch (error) {
      return error as PkceError
    }
    throw new Error("accepted")
  }

  it("is kept apart, printable and short", () => {
    const error = failure(
      `error=server_error&error_description=${encodeURIComponent(`\u0007<b>é${"x".repeat(300)}`)}`,
    )
    expect(error.untrustedIdpText).toMatch(/^server_error: <b>x+$/)
    expect(error.untrustedIdpText).toHaveLength(200)
  })

  it("is not in the message", () => {
    const error = failure("error=marker1&error_description=marker2&error_uri=marker3")
    expect(`${error.message} ${error.stack}`).not.toMatch(/marker/)
    expect(error.untrustedIdpText).not.toContain("marker3")
  })
})

describe("what else is asked of a URL", () => {
  it.each([
    ["https://app.example.com/cb?code=c&state=s", true],
    ["https://app.example.com/cb?error=e&state=s", true],
    ["https://app.example.com/cb#access_token=t&state=s", true],
    ["https://app.example.com/cb?code=coupon", false],
    ["https://app.example.com/cb?state=open", false],
    ["https://app.example.com/other?code=c&state=s", false],
    ["about:blank", false],
  ])("leaves the app's own addresses alone: %s", (url, is) => {
    expect(looksLikeCallback(url, web.redirectUri)).toBe(is)
  })
})

it("B6 a callback of 16384 letters is read, and none that is longer", () => {
  const start = "myapp://callback?code=c&state=st-1&x="
  const longest = start.padEnd(16_384, "x")
  expect(outcome(longest)).toEqual(good)
  expect(outcome(`${longest}x`)).toBe("callback_invalid (ignored)")
})

it("B7 an error without a description is told as it is", () => {
  expect(() => parseCallback("myapp://callback?error=server_error&state=st-1", expected)).toThrow(
    expect.objectContaining({ code: "authorization_error", untrustedIdpText: "server_error" }),
  )
})

it.each(["code", "handoff", "error", "access_token", "id_token", "refresh_token", "response"])(
  "a URL with a state and %s looks like a callback",
  (name) => {
    expect(looksLikeCallback(`myapp://callback?state=x&${name}=`, "myapp://callback")).toBe(true)
    expect(looksLikeCallback(`myapp://callback?${name}=`, "myapp://callback")).toBe(false)
  },
)
