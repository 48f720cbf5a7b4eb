import type { StoragePort } from "../../src/platforms/ports.js"

export interface TestStorage extends StoragePort {
  text(): string | null
  writes(): number
  /** What happens at write number `n`, counted from the first: the device dies before or after it, or it fails. */
  at(n: number, event: "dies before" | "dies after" | "fails"): void
  failing: boolean
}

const never = new Promise<never>(() => {})

export function memoryStorage(): TestStorage {
  let stored: string | null = null
  let writes = 0
  let planned: { n: number; event: string } | undefined
  return {
    failing: false,
    text: () => stored,
    writes: () => writes,
    at: (n, event) => {
      planned = { n: writes + n, event }
    },
    async read() {
      await null
      if (this.failing) throw new Error("disk")
      return stored
    },
    async update(change) {
      await null
      if (this.failing) throw new Error("disk")
      const next = change(stored)
      if (next === undefined) return
      writes++
      const event = planned?.n === writes ? planned.event : undefined
      if (event === "fails") throw new Error("disk")
      if (event === "dies before") return never
      stored = next
      if (event === "dies after") return never
    },
  }
}
