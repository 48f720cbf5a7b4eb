import { describe, expect, it } from "vitest"
import { badStatus, failed, refused, unanswered } from "./failures.js"

describe("failures of a provider", () => {
  it.each([
    ["connect", "idp_unavailable"],
    ["reset", "idp_unavailable"],
    ["timeout", "idp_timeout"],
    ["too_large", "idp_bad_response"],
    ["blocked_address", "idp_misconfigured"],
  ] as const)("D9 D12 a call that ended in %s is %s", (failure, code) => {
    expect(unanswered({ failure, sent: true }, true)).toMatchObject({ code, reason: failure, spent: true })
  })

  it.each([
    [200, undefined, "idp_bad_response", undefined],
    [0, undefined, "idp_bad_response", undefined],
    [302, undefined, "idp_bad_response", undefined],
    [404, undefined, "idp_bad_response", undefined],
    [429, "7", "idp_unavailable", 7],
    [429, "3600", "idp_unavailable", 60],
    [500, undefined, "idp_unavailable", undefined],
    [503, "Wed, 21 Oct 2099 07:28:00 GMT", "idp_unavailable", undefined],
    [503, "-1", "idp_unavailable", undefined],
  ] as const)("D12 status %s with Retry-After %s is %s", (status, retryAfter, code, seconds) => {
    expect(badStatus(status, retryAfter, false)).toMatchObject({ code, retryAfter: seconds, spent: false })
  })

  it("may be repeated only while the code is unspent", () => {
    expect(failed("idp_unavailable", "reset", false).retryable).toBe(true)
    expect(failed("idp_unavailable", "reset", true).retryable).toBe(false)
    expect(refused("invalid_grant").retryable).toBe(false)
  })
})
