import { randomBytes } from "node:crypto"
import { constants } from "node:fs"
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import type { StoragePort } from "./ports.js"

/** Milliseconds. An update takes a few; a lock as old as this was left behind by a process that died. */
const STALE = 10_000
const GIVE_UP = 20_000

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code

async function readOr<T>(path: string, missing: T): Promise<string | T> {
  try {
    return await readFile(path, "utf8")
  } catch (error) {
    if (codeOf(error) === "ENOENT") return missing
    throw error
  }
}

async function writeDurably(path: string, text: string, flags: number): Promise<void> {
  const file = await open(path, flags, 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
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

const NEW_FILE = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY

/** The record in a file of mode 0600. R7: written aside, synced, renamed, and the folder synced. */
export function fileStorage(folder: string, name: string): StoragePort {
  const path = join(folder, `${name}.json`)
  const lock = `${path}.lock`
  let queue: Promise<unknown> = Promise.resolve()

  /** Whether the lock was left behind. It is moved aside first, so that of many that see it stale only one removes it. */
  async function removeStale(): Promise<void> {
    const seen = await readOr(lock, null)
    const { mtimeMs } = await stat(lock).catch(() => ({ mtimeMs: Date.now() }))
    if (seen === null || Math.abs(Date.now() - mtimeMs) < STALE) return
    const aside = `${lock}.${randomBytes(6).toString("hex")}`
    await rename(lock, aside).catch(() => {})
    await rm(aside, { force: true })
  }

  async function acquire(): Promise<string> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const id = randomBytes(16).toString("hex")
    for (const start = performance.now(); performance.now() - start < GIVE_UP; ) {
      try {
        await writeDurably(lock, id, NEW_FILE)
        return id
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error
      }
      await removeStale()
      await sleep(5 + (randomBytes(1)[0] ?? 0) / 16)
    }
    throw new Error("the lock file stays")
  }

  /** False where the lock was taken from us because we were too slow: then nothing was written. */
  async function tryUpdate(change: (current: string | null) => string | null | undefined): Promise<boolean> {
    const id = await acquire()
    const aside = `${path}.${id}`
    const isMine = async () => (await readOr(lock, null)) === id
    try {
      const next = change(await readOr(path, null))
      if (next === undefined) return true
      if (next !== null) await writeDurably(aside, next, NEW_FILE)
      if (!(await isMine())) return false
      if (next === null) await rm(path, { force: true })
      else await rename(aside, path)
      await syncFolder(folder)
      return true
    } finally {
      await rm(aside, { force: true })
      if (await isMine()) await rm(lock, { force: true })
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
