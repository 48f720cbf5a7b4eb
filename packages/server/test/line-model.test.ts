import fc from "fast-check"
import { afterAll, describe, expect, test } from "vitest"
import { memoryStore } from "../src/stores/memory.js"
import { HAPPENINGS, type Happening, live, type ModelOptions, type World } from "./support/line-model.js"
import { type Clock, modelStores } from "./support/model-stores.js"
import { notRun } from "./support/services.js"
import { shortMemory } from "./support/short-memory.js"

const { stores, missing } = await modelStores()

const THIEVES: readonly Happening["what"][] = ["steal", "thief refreshes"]
// What a busy client sees most is asked for most, so that the runs go far along the line.
const usual = ["send", "deliver request", "deliver answer"] as const

function story(kinds: readonly Happening["what"][], length: number): fc.Arbitrary<Happening[]> {
  const what = fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(...usual) },
    { weight: 1, arbitrary: fc.constantFrom(...kinds) },
  )
  return fc.array(fc.record({ what, pick: fc.nat(1000) }), { maxLength: length, size: "max" })
}
const honestOnly = HAPPENINGS.filter((what) => !THIEVES.includes(what))
const quiet = story(honestOnly, 120)
// The promise about thieves is made for a store that keeps what it answered.
const before = story(
  honestOnly.filter((what) => what !== "roll back"),
  60,
)
const after = story(
  HAPPENINGS.filter((what) => what !== "roll back"),
  60,
)
const theft: Happening[] = [
  { what: "steal", pick: 0 },
  { what: "thief refreshes", pick: 0 },
]
const dangerous = fc.tuple(before, after).map(([first, then]) => [...first, ...theft, ...then])

const honestFails = ({ ended, alarms, forks, recovery }: World): boolean =>
  ended.length > 0 || alarms > 0 || forks.length > 0 || recovery === null

const check = (
  happenings: fc.Arbitrary<Happening[]>,
  options: ModelOptions,
  runs: number,
  bad: (world: World) => boolean,
) =>
  fc.check(
    fc.asyncProperty(happenings, async (story) => !bad(await live(story, options))),
    { numRuns: runs, seed: 20_260_101 },
  )

for (const name of missing) notRun(`the line as a model, on ${name}`)

for (const { name, store, runs, close } of stores) {
  describe(`the line as a model, on ${name}`, { timeout: 20_000 + runs * 500 }, () => {
    afterAll(close)

    test("invariants 1, 3, 5: whatever is lost, doubled, late, crashed, rotated or rolled back, nobody is logged out", async () => {
      const result = await check(quiet, { store }, runs, honestFails)
      expect(result.counterexample).toBeNull()
    })

    test("invariants 2, 5: when thief and owner have both used the line, the session is dead", async () => {
      let thefts = 0
      const result = await check(dangerous, { store }, runs, (world) => {
        if (!world.thiefGranted) return world.forks.length > 0
        thefts++
        return world.alarms !== 1 || world.forks.length > 0 || world.recovery !== null
      })
      expect(result.counterexample).toBeNull()
      expect(thefts).toBeGreaterThan(runs / 3)
    })
  })
}

describe("negative controls: the model finds what it is there to find", () => {
  test.each([
    ["rotation without repeats", 0],
    ["a ring of one generation", 1],
  ])("%s logs an honest client out", async (_, reach) => {
    const forgetful = (clock: Clock) => shortMemory(memoryStore(clock), reach)
    expect((await check(quiet, { store: forgetful }, 400, honestFails)).failed).toBe(true)
  })

  test("a client that draws a new verifier for a repeat is logged out", async () => {
    const options = { store: memoryStore, storageForgets: true }
    expect((await check(quiet, options, 400, honestFails)).failed).toBe(true)
  })
})
