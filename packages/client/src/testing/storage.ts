import { PkceError } from "../errors.js"
import type { StoragePort } from "../platforms/ports.js"

/** A storage whose every fault can be had. */
export interface FakeStorage extends StoragePort {
  /** What is stored. */
  text(): string | null
  /** Writes so far. */
  writes(): number
  /** What happens at write number `n`, counted from the first: the device dies before or after it, or it fails. */
  at(n: number, event: "dies before" | "dies after" | "fails"): void
  /** While true nothing can be read or written. */
  failing: boolean
  /** While true the device is locked: `storage_locked`. */
  locked: boolean
}

const never = new Promise<never>(() => {})

function fail({ failing, locked }: Pick<FakeStorage, "failing" | "locked">): void {
  if (locked) throw new PkceError("storage_locked", "storage")
  if (failing) throw new Error("disk")
}

/**
 * A storage in memory. Hand the same one to a second client, and the app was started again.
 *
 * @example
 * ```ts
 * const storage = fakeStorage()
 * storage.at(2, "dies before") // the process is killed before its second write from here
 * ```
 */
export function fakeStorage(): FakeStorage {
  let stored: string | null = null
  let writes = 0
  let planned: { n: number; event: string } | undefined
  return {
    failing: false,
    locked: false,
    text: () => stored,
    writes: () => writes,
    at: (n, event) => {
      planned = { n: writes + n, event }
    },
    async read() {
      await null
      fail(this)
      return stored
    },
    async update(change) {
      await null
      fail(this)
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
