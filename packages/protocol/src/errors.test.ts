import { expect, it } from "vitest"
import { isTerminal, serverErrors, TERMINAL_CODES } from "./errors.js"

it("GR4: exactly the 401 codes end a session on the client", () => {
  const unauthorized = Object.entries(serverErrors).filter(([, { status }]) => status === 401)
  expect(unauthorized.map(([code]) => code).sort()).toEqual([...TERMINAL_CODES].sort())
  for (const code of Object.keys(serverErrors)) {
    expect(isTerminal(code)).toBe(serverErrors[code as keyof typeof serverErrors].status === 401)
  }
  expect(isTerminal(undefined)).toBe(false)
})

it("our own outage is never 401 and may always be repeated", () => {
  for (const [code, { status, retryable }] of Object.entries(serverErrors)) {
    if (status >= 500) expect([code, retryable]).toEqual([code, true])
    if (status === 401) expect([code, retryable]).toEqual([code, false])
  }
})
