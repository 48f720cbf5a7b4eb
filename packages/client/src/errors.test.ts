import { expect, it } from "vitest"
import { PkceError } from "./errors.js"

it("is an error with a stable code and a fixed message", () => {
  const error = new PkceError("state_mismatch", "callback", { untrustedIdpText: "said so", ignorable: true })
  expect(error).toBeInstanceOf(Error)
  expect(error).toMatchObject({
    name: "PkceError",
    code: "state_mismatch",
    phase: "callback",
    ignorable: true,
  })
  expect(error.message).toBe("PKCE callback failed: state_mismatch")
  expect(error.retryable).toBe(false)
  expect(error.errorId).toBeUndefined()
})

it("knows which of its own codes are worth another try", () => {
  expect(new PkceError("network", "refresh").retryable).toBe(true)
  expect(new PkceError("storage_unavailable", "storage").retryable).toBe(true)
  expect(new PkceError("network", "refresh", { retryable: false }).retryable).toBe(false)
})
