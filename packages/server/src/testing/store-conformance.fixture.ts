import { expect } from "vitest"
import type { Store } from "../stores/contract.js"
import { memoryStore } from "../stores/memory.js"
import { storeConformance } from "./store-conformance.js"

/** What replaces methods of a sound store. */
export type Fault = (good: Store) => Partial<Store>

/** Stores as people really break them, and the case that must catch each. */
export type BrokenStores = Record<string, { fault: Fault; caught: RegExp }>

export const turn = () => new Promise((resolve) => setImmediate(resolve))

/** The cases that a store with this fault fails. */
export async function failures(fault: Fault): Promise<string[]> {
  const cases = storeConformance(async () => {
    let ms = 1_900_000_000_000
    const good = memoryStore({ now: () => ms })
    const advanceClock = (seconds: number) => {
      ms += seconds * 1000
    }
    return { store: { ...good, ...fault(good) }, advanceClock }
  })
  const failed: string[] = []
  for (const { name, run } of cases) {
    await run().catch((error: unknown) => {
      expect(error).toBeInstanceOf(Error)
      failed.push(name)
    })
  }
  return failed
}
