import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { fileStorage } from "./cli-storage.js"

type Call = "open" | "rename" | "write"
/** What the next calls on the lock (`open`, `write`) or on the record (`rename`) do: an error's code, or something before them. */
const faults = vi.hoisted((): { [call in Call]: (string | (() => Promise<void>))[] } => ({
  open: [],
  rename: [],
  write: [],
}))
vi.mock("node:fs/promises", async (original) => {
  const real = (await original()) as typeof import("node:fs/promises")
  async function meet(call: Call) {
    const fault = faults[call].shift()
    if (typeof fault === "string") throw Object.assign(new Error(fault), { code: fault })
    await fault?.()
  }
  const open: typeof real.open = async (path, ...rest) => {
    const isLock = String(path).endsWith(".lock")
    if (isLock) await meet("open")
    const handle = await real.open(path, ...rest)
    const write = handle.writeFile.bind(handle)
    if (isLock) handle.writeFile = (...text) => meet("write").then(() => write(...text))
    return handle
  }
  const rename: typeof real.rename = async (from, to) => {
    if (String(to).endsWith(".json")) await meet("rename")
    return real.rename(from, to)
  }
  return { ...real, open, rename }
})

const { platform } = process
const on = (name: string) => Object.defineProperty(process, "platform", { value: name })

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pkce-"))
})
afterEach(async () => {
  on(platform)
  for (const call of ["open", "rename", "write"] as const) faults[call] = []
  await rm(folder, { recursive: true, force: true })
})

const BUSY = ["EPERM", "EACCES", "EBUSY"]
const stored = () => readFile(join(folder, "a.json"), "utf8")

describe("fileStorage", () => {
  it.each(BUSY)("Windows: %s passes, while another program has the file open", async (code) => {
    on("win32")
    faults.rename = [code, code]
    faults.open = [code, code]
    await fileStorage(folder, "a").update(() => "one")
    expect(await stored()).toBe("one")
    expect(await readdir(folder)).toEqual(["a.json"])
  })

  it.each(BUSY)("elsewhere %s is final: nothing is tried again", async (code) => {
    on("linux")
    const storage = fileStorage(folder, "a")
    faults.open = [code]
    await expect(storage.update(() => "one")).rejects.toMatchObject({ code })
    faults.rename = [code]
    await expect(storage.update(() => "one")).rejects.toMatchObject({ code })
    expect(await readdir(folder)).toEqual([])
  })

  it("a disk that is full while the lock is written leaves no lock behind", async () => {
    faults.write = ["ENOSPC"]
    const storage = fileStorage(folder, "a")
    await expect(storage.update(() => "one")).rejects.toMatchObject({ code: "ENOSPC" })
    expect(await readdir(folder)).toEqual([])
  })

  it("K5 P21 what a process wrote aside before it died goes with its lock, and what others wrote stays", async () => {
    const [dead, other] = ["0".repeat(32), "1".repeat(32)]
    await writeFile(join(folder, `a.json.${dead}`), "secret")
    await writeFile(join(folder, `a.json.${other}`), "of another")
    const lock = join(folder, "a.json.lock")
    await writeFile(lock, dead)
    const longAgo = new Date(Date.now() - 60_000)
    await utimes(lock, longAgo, longAgo)
    await fileStorage(folder, "a").update(() => "one")
    expect((await readdir(folder)).sort()).toEqual(["a.json", `a.json.${other}`])
  })

  it("starts over where its lock was taken just before it would have written over the taker", async () => {
    const storage = fileStorage(folder, "a")
    await storage.update(() => "old")
    faults.rename = [
      async () => {
        // Another process takes the lock for stale, with what was written aside, and is done.
        for (const name of await readdir(folder)) await rm(join(folder, name))
        await writeFile(join(folder, "a.json"), "of the other")
      },
    ]
    await storage.update((current) => `${current}, ours`)
    expect(await stored()).toBe("of the other, ours")
  })
})
