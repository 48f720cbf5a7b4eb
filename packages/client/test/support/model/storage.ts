import { PkceError } from "../../../src/errors.js"
import type { CryptoPort, StoragePort } from "../../../src/platforms/ports.js"
import { type KeychainLike, keychainStorage } from "../../../src/platforms/slots.js"
import type { Random } from "../random.js"
import type { Process, VirtualTime } from "./virtual-time.js"

/** What a device has beneath its storage. */
export interface Disk {
  /** The record, as far as it is known without looking. */
  text: string | null
  /** Texts whose writing was not seen to end: the next look shows whether they are there. */
  hoped: Set<string | null>
  /** Before the first unlock after a restart nothing can be read. */
  locked: boolean
  keychain: Map<string, string>
  queue: Promise<unknown>
}

export const newDisk = (): Disk => ({
  text: null,
  hoped: new Set(),
  locked: false,
  keychain: new Map(),
  queue: Promise.resolve(),
})

export interface StorageWorld {
  time: VirtualTime
  random: Random
  /** Chances that an access fails, and that the process dies in the middle of a write. */
  weather: { storage: number; kills: number }
  kill(): void
  /** The record has become that. */
  wrote(text: string | null): void
  problem(what: string): void
}

/** A disk's own failure. Its text must be seen nowhere. */
export const DISK_ERROR = "secret of the disk"
const failure = () => new Error(DISK_ERROR)

/** As IndexedDB: all tabs on one record, a transaction at a time, which ends also when its tab sleeps. */
export function sharedStorage(disk: Disk, process: Process, world: StorageWorld): StoragePort {
  const { time, random, weather } = world
  const faultOf = () =>
    random.chance(weather.storage) ? random.of(["before", "after", "slow"] as const) : "none"

  /** The answer comes to a tab that lives, and as soon as it is awake. */
  const answered = <T>(work: Promise<T>, late = 0) =>
    new Promise<T>((resolve, reject) => {
      work.then(
        (value) => time.after(late, () => resolve(value), process),
        (error) => time.after(late, () => reject(error), process),
      )
    })

  async function access(fault: string): Promise<void> {
    await time.wait(random.below(fault === "slow" ? 3000 : 10))
    if (disk.locked) throw new PkceError("storage_locked", "storage")
    if (fault === "before") throw failure()
  }

  return {
    // Not every storage has a reading wait for its turn, so what comes of it may be older than a write that came after it.
    async read() {
      const reading = access(faultOf()).then(() => disk.text)
      return answered(reading, random.below(30))
    },
    update(change) {
      const run = disk.queue.then(async () => {
        const fault = faultOf()
        await access(fault)
        const next = process.alive ? change(disk.text) : undefined
        if (next === undefined) return
        const dies = random.chance(weather.kills / 10)
        if (dies && random.chance(0.5)) return world.kill()
        world.wrote(next)
        if (dies) return world.kill()
        // It was written, and the tab hears the contrary.
        if (fault === "after") throw failure()
      })
      disk.queue = run.catch(() => {})
      return answered(run)
    },
  }
}

/** As a phone's keychain: a record in many values, whose writing a kill may leave anywhere in between. */
export function torableKeychain(
  disk: Disk,
  process: Process,
  crypto: CryptoPort,
  world: StorageWorld,
): StoragePort {
  const { time, random, weather } = world

  async function access<T>(act: () => T): Promise<T> {
    await time.wait(random.below(5), process)
    if (disk.locked) throw new Error("-25308: interaction is not allowed")
    const [fails, dies] = [random.chance(weather.storage / 6), random.chance(weather.kills / 30)]
    // Half of them once it is done.
    const result = (fails || dies) && random.chance(0.5) ? undefined : act()
    if (dies) world.kill()
    await time.wait(0, process)
    if (fails) throw failure()
    return result as T
  }

  const keychain: KeychainLike = {
    getItem: (key) => access(() => disk.keychain.get(key) ?? null),
    setItem: (key, value) => access(() => disk.keychain.set(key, value)),
    removeItem: (key) => access(() => disk.keychain.delete(key)),
  }
  const storage = keychainStorage(keychain, "pkce", crypto, keychain)
  storage.onLost?.((reason) => world.problem(`the keychain lost the record: ${reason}`))

  /** What is read is what was written last, or what was being written when nobody could see the end. */
  function found(text: string | null): void {
    if (text !== disk.text && !disk.hoped.has(text))
      world.problem("the keychain holds what was never written")
    if (text !== disk.text) world.wrote(text)
    disk.hoped.clear()
  }

  return {
    async read() {
      await storage.update((text) => void found(text))
      return disk.text
    },
    async update(change) {
      let next: string | null | undefined
      await storage.update((text) => {
        found(text)
        next = change(text)
        if (next !== undefined) disk.hoped.add(next)
        return next
      })
      if (next !== undefined) found(next)
    },
  }
}
