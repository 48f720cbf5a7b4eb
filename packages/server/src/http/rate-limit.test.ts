import { describe, expect, it } from "vitest"
import { PkceError } from "../errors.js"
import { createRateLimit } from "./rate-limit.js"

const V4 = "192.0.2.1"

function make(perMinute = 10, burst = 20) {
  const clock = { now: 0 }
  const limit = createRateLimit({ perMinute, burst }, () => clock.now)
  const refused = (address: string) => {
    try {
      limit.check(address)
      return null
    } catch (error) {
      return error instanceof PkceError ? error : null
    }
  }
  const fail = (times: number, address = V4) => {
    for (let i = 0; i < times; i++) limit.failed(address)
  }
  return { limit, clock, refused, fail }
}

describe("C13: the bucket of failures", () => {
  it("is empty after the burst, says when to come back, and lets through then", () => {
    const { clock, refused, fail } = make()
    fail(19)
    expect(refused(V4)).toBeNull()
    fail(1)
    expect(refused(V4)).toMatchObject({ code: "rate_limited", retryAfter: 6 })
    clock.now = 5999
    expect(refused(V4)).toMatchObject({ retryAfter: 1 })
    clock.now = 6000
    expect(refused(V4)).toBeNull()
  })

  it("never holds more than the burst", () => {
    const { clock, refused, fail } = make()
    fail(1)
    clock.now = 3_600_000
    fail(20)
    expect(refused(V4)).not.toBeNull()
  })

  it("does not go below empty, so a flood costs no hour", () => {
    const { clock, refused, fail } = make()
    fail(1000)
    clock.now = 6000
    expect(refused(V4)).toBeNull()
  })

  it("is one per address, and none where the address is unknown", () => {
    const { limit, refused, fail } = make(10, 1)
    fail(1)
    expect(refused("192.0.2.2")).toBeNull()
    limit.failed(undefined)
    expect(() => limit.check(undefined)).not.toThrow()
  })

  it("G11: forgets the address that failed longest ago, beyond ten thousand", () => {
    const { refused, fail } = make(10, 1)
    fail(1)
    for (let i = 0; i < 9_999; i++) fail(1, `10.0.${i >> 8}.${i & 255}`)
    expect(refused(V4)).not.toBeNull()
    fail(1, "10.1.0.0")
    expect(refused(V4)).toBeNull()
    expect(refused("10.1.0.0")).not.toBeNull()
  })
})
