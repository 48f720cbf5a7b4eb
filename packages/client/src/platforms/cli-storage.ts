import { randomBytes } from "node:crypto"
import { constants } from "node:fs"
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import type { StoragePort } from "./ports.js"

/** Milliseconds. An update takes a few; a lock as old as this was left behind by a process that died. */
const STALE = 10_000
const GIVE_UP = 20_000
/** Milliseconds in which Windows may refuse what it then does. Shorter than a lock lives. */
const PATIENCE = 5_000
const PASSING = ["EPERM", "EACCES", "EBUSY"]
const NEW_FILE = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY
/** What a lock holds, and the name of what its owner writes aside. */
const ID = /^[0-9a-f]{32}$/

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? ""
const pause = () => sleep(5 + (randomBytes(1)[0] ?? 0) / 16)

/**
 * Windows refuses what touches a file while a virus scanner or an indexer has it open, and says the same as where it is not
 * allowed at all. Elsewhere an open file hinders nobody, so that a refusal is final.
 */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (const start = performance.now(); ; await pause()) {
    try {
      return await work()
    } catch (error) {
      const passes = process.platform === "win32" && PASSING.includes(codeOf(error))
      if (!passes || performance.now() - start > PATIENCE) throw error
    }
  }
}

async function readOr<T>(path: string, missing: T): Promise<string | T> {
  try {
    return await patiently(() => readFile(path, "utf8"))
  } catch (error) {
    if (codeOf(error) === "ENOENT") return missing
    throw error
  }
}

const remove = (path: string) => patiently(() => rm(path, { force: true }))

/** A new file, whole or not at all: a lock that a full disk has left empty would be waited for. */
async function writeDurably(path: string, text: string): Promise<void> {
  const file = await patiently(() => open(path, NEW_FILE, 0o600))
  try {
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (error) {
    await remove(path)
    throw error
  }
}

/** Makes a rename or removal in the folder durable. Windows has no such thing and needs none. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return
  const handle = await open(folder, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** The record in a file of mode 0600. R7: written aside, synced, renamed, and the folder synced. */
export function fileStorage(folder: string, name: string): StoragePort {
  const path = join(folder, `${name}.json`)
  const lock = `${path}.lock`
  let queue: Promise<unknown> = Promise.resolve()

  const asideOf = (id: string) => `${path}.${id}`

  /**
   * A lock that was left behind, and what its owner wrote aside. The lock is moved aside first, so that of many that see it stale
   * only one removes it.
   */
  async function removeStale(): Promise<void> {
    const seen = await readOr(lock, null)
    const { mtimeMs } = await stat(lock).catch(() => ({ mtimeMs: Date.now() }))
    if (seen === null || Math.abs(Date.now() - mtimeMs) < STALE) return
    // Before the lock: an owner that is not dead but slow then has nothing to rename, and starts over.
    if (ID.test(seen)) await remove(asideOf(seen))
    const aside = `${lock}.${randomBytes(6).toString("hex")}`
    await rename(lock, aside).catch(() => {})
    await remove(aside)
  }

  async function acquire(): Promise<string> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const id = randomBytes(16).toString("hex")
    for (const start = performance.now(); performance.now() - start < GIVE_UP; ) {
      try {
        await writeDurably(lock, id)
        return id
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error
      }
      await removeStale()
      await pause()
    }
    throw new Error("the lock file stays")
  }

  /** False where the lock was taken from us because we were too slow: then nothing was written. */
  async function tryUpdate(change: (current: string | null) => string | null | undefined): Promise<boolean> {
    const id = await acquire()
    const aside = asideOf(id)
    const isMine = async () => (await readOr(lock, null)) === id

    async function commit(next: string | null): Promise<boolean> {
      if (!(await isMine())) return false
      try {
        await (next === null ? rm(path, { force: true }) : rename(aside, path))
        return true
      } catch (error) {
        // Whoever took the lock for stale has removed it.
        if (codeOf(error) === "ENOENT") return false
        throw error
      }
    }

    try {
      const next = change(await readOr(path, null))
      if (next === undefined) return true
      if (next !== null) await writeDurably(aside, next)
      if (!(await patiently(() => commit(next)))) return false
      await syncFolder(folder)
      return true
    } finally {
      await remove(aside)
      if (await isMine()) await remove(lock)
    }
  }

  return {
    read: () => readOr(path, null),
    update(change) {
      const work = async () => {
        while (!(await tryUpdate(change)));
      }
      const done = queue.then(work, work)
      queue = done.catch(() => {})
      return done
    },
  }
}
