import { describe, expect, it } from "vitest"
import type { HttpFailure, OutgoingRequest } from "../runtime/http.js"
import { refreshTokens } from "./refresh.js"

const issuer = "https://idp.example/"
const tokens = { access_token: "at", token_type: "Bearer", id_token: "it", refresh_token: "rt" }

/** One refresh whose call ends in that failure. */
async function ends(failure: HttpFailure["failure"], sent: boolean) {
  const requests: OutgoingRequest[] = []
  const outcome = refreshTokens(
    {
      http: {
        async send(request) {
          requests.push(request)
          return { failure, sent }
        },
        warm() {},
        async close() {},
      },
      metadata: { issuer, authorization_endpoint: "", token_endpoint: `${issuer}token`, jwks_uri: "" },
      authenticate: async () => ({ headers: { authorization: "Basic x" }, fields: {} }),
      policy: {
        issuer,
        clientId: "app",
        clientSecret: null,
        algorithms: ["RS256"],
        trustedAudiences: [],
        organization: null,
        maxSkew: 60,
        keys: { find: () => Promise.reject(new Error("not used")) },
      },
      now: () => 0,
    },
    { tokens, subject: "ada" },
  )
  return { error: await outcome.catch((error: unknown) => error), requests }
}

describe("a refresh without an answer", () => {
  it.each([
    ["timeout", true, "idp_timeout", true],
    ["timeout", false, "idp_timeout", false],
    ["connect", false, "idp_unavailable", false],
    ["blocked_address", false, "idp_misconfigured", false],
    ["reset", true, "idp_unavailable", true],
    ["too_large", true, "idp_bad_response", true],
  ] as const)("%s, sent: %s", async (failure, sent, code, spent) => {
    const { error } = await ends(failure, sent)
    expect(error).toMatchObject({ code, reason: failure, spent, retryable: !spent })
  })

  it("D9 has waited for 30 s, and asked once", async () => {
    const { requests } = await ends("timeout", true)
    expect(requests).toEqual([
      {
        method: "POST",
        url: `${issuer}token`,
        headers: {
          authorization: "Basic x",
          accept: "application/json",
          "content-type": "application/x-www-form-urlencoded",
        },
        body: "grant_type=refresh_token&refresh_token=rt",
        deadline: 30_000,
        maxBytes: 1024 * 1024,
      },
    ])
  })
})
