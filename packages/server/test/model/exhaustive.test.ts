import { describe, expect, test } from "vitest"
import type { Store } from "../../src/stores/contract.js"
import { shortMemory } from "../support/short-memory.js"
import { explore } from "./explore.js"
import type { Bounds } from "./world.js"

const honest: Bounds = { generations: 4, processes: 2, rollbacks: 1, thief: false, time: true }
const theft: Bounds = { generations: 3, processes: 1, rollbacks: 0, thief: true, time: true }

describe("every state of the line, by the code that runs in production", () => {
  test.each<[string, Bounds, number]>([
    ["four generations, two processes, a store that falls back", honest, 20_000],
    [
      "three generations, and a store that falls back twice",
      { ...honest, generations: 3, rollbacks: 2 },
      15_000,
    ],
  ])("invariants 1, 3, 4, 5: no honest client is logged out or stuck: %s", async (_, bounds, floor) => {
    const found = await explore(bounds)
    expect(found.violation).toBeNull()
    expect(found.states).toBeGreaterThan(floor)
    expect(Object.keys(found.kinds)).toEqual(
      expect.arrayContaining([
        "the store falls back by",
        "the process of request goes on",
        "half a minute passes",
      ]),
    )
  })

  test.each<[string, Bounds, number]>([
    ["three generations", theft, 10_000],
    ["two processes at once", { ...theft, processes: 2, time: false }, 5_000],
    ["and a store that falls back", { ...theft, generations: 2, rollbacks: 1, time: false }, 10_000],
  ])("invariants 2, 5: a thief at any moment is noticed: %s", async (_, bounds, floor) => {
    const found = await explore(bounds)
    expect(found.violation).toBeNull()
    expect(found.states).toBeGreaterThan(floor)
    expect(Object.keys(found.kinds)).toEqual(
      expect.arrayContaining([
        "a thief copies the record in flight",
        "the thief hears its successor",
        "the owner hears session_reuse_detected",
      ]),
    )
  })
})

describe("negative controls: the checker finds what it is there to find", () => {
  test.each([
    ["strict rotation: a repeat is reuse", 0],
    ["a history of one step", 2],
  ])("%s logs an honest client out", async (_, reach) => {
    const found = await explore(honest, { spoil: (store) => shortMemory(store, reach) })
    expect(found.violation?.invariant).toMatch(/^I[13]/)
    expect(found.violation?.story).toContain("request 0 arrives")
  })

  test("a client that sends before its write is durable is logged out", async () => {
    const found = await explore({ ...honest, rollbacks: 0, storageForgets: true })
    expect(found.violation?.invariant).toMatch(/^I[13]/)
    expect(found.violation?.story).toContain("the storage forgets")
  })

  test("a server that believes every old token lets a thief in", async () => {
    const found = await explore(theft, { spoil: believing })
    expect(found.violation?.invariant).toMatch(/^I2/)
    expect(found.violation?.story.join()).toContain("a thief copies the record")
  })
})

/** A store that has forgotten all of the history: old tokens are then answered as repeats, whoever shows them. */
const believing = (store: Store): Store => ({
  ...store,
  async advance(step) {
    const result = await store.advance(step)
    if (result.outcome === "missing") return result
    return { ...result, row: { ...result.row, history: new Uint8Array(256) } }
  },
})
