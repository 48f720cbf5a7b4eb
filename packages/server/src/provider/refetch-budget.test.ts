import { describe, expect, it } from "vitest"
import { createRefetchBudget } from "./refetch-budget.js"

describe("D5 the refetch budget", () => {
  it("D5 gives three at once, then one in 30 s, and never more than three", () => {
    let now = 1_000
    const take = createRefetchBudget(() => now)
    const spend = () => Array.from({ length: 5 }, take).filter(Boolean).length
    expect(spend()).toBe(3)
    now += 29
    expect(spend()).toBe(0)
    now += 1
    expect(spend()).toBe(1)
    now += 3_600
    expect(spend()).toBe(3)
  })

  it("D5 gives nothing for a clock that is set back, and goes on from there", () => {
    let now = 1_000
    const take = createRefetchBudget(() => now)
    for (let i = 0; i < 3; i++) take()
    now = 0
    expect(take()).toBe(false)
    now = 30
    expect(take()).toBe(true)
  })
})
