import { describe, expect, it } from "vitest"
import { webCrypto } from "../pkce/crypto.js"
import { codeOf } from "../testing/device.js"
import { keychainStorage } from "./slots.js"

const NAME = "pkce"
const record = (letter: string, length: number) =>
  JSON.stringify({ letter: letter.repeat(length), ü: "😀\n%41" })

/** A keychain and a fence whose process dies at its n-th change, before or after it. */
function device(hasFence: boolean) {
  const keychain = new Map<string, string>()
  const fence = new Map<string, string>()
  const told: string[] = []
  let changes = 0
  let process = 0
  let die = () => {}
  let dies: { at: number; after: boolean } | null = null

  async function native<T>(mine: number, work: () => T, isChange: boolean): Promise<T> {
    await null
    if (mine !== process) return new Promise(() => {})
    if (!isChange) return work()
    changes++
    if (dies?.at !== changes) return work()
    if (dies.after) work()
    process++
    die()
    return new Promise(() => {})
  }
  const store = (map: Map<string, string>, mine: number) => ({
    getItem: (key: string) => native(mine, () => map.get(key) ?? null, false),
    setItem: (key: string, value: string) => native(mine, () => void map.set(key, value), true),
    removeItem: (key: string) => native(mine, () => void map.delete(key), true),
  })
  function start() {
    process++
    const storage = keychainStorage(
      store(keychain, process),
      NAME,
      webCrypto,
      hasFence ? store(fence, process) : undefined,
    )
    storage.onLost?.((reason) => told.push(reason))
    return storage
  }
  /** A new process writes `text`; whether it lived to the end of it. */
  async function write(text: string | null, dying: typeof dies = null): Promise<boolean> {
    changes = 0
    dies = dying
    const died = new Promise<false>((resolve) => {
      die = () => resolve(false)
    })
    const lived = await Promise.race([
      start()
        .update(() => text)
        .then(() => true),
      died,
    ])
    dies = null
    return lived
  }
  return { keychain, told, write, read: () => start().read() }
}

describe.each([true, false])("with a fence: %s", (hasFence) => {
  const STEPS = [
    record("a", 10),
    record("b", 9000),
    record("c", 4500),
    record("d", 10),
    record("e", 6500),
    null,
    record("f", 4500),
    record("g", 10),
    null,
  ]

  it.each([false, true])(
    "a process that dies at any change (after it: %s) leaves the record before or the new one, and nobody is told of a loss",
    async (after) => {
      for (let step = 0; step < STEPS.length; step++) {
        let isOver = false
        for (let at = 1; !isOver; at++) {
          const { keychain, told, read, write } = device(hasFence)
          for (const text of STEPS.slice(0, step)) await write(text)
          const before = await read()
          const next = STEPS[step] ?? null
          isOver = await write(next, { at, after })

          const found = await read()
          expect([before, next]).toContain(found)
          if (isOver) expect(found).toBe(next)
          if (found === null) expect([...keychain.keys()]).toEqual([])
          // Nothing of the crash is in the way of what follows, the shorter and the longer, or comes to light with it.
          for (const text of [record("x", 10), record("y", 7000), record("z", 10)]) {
            await write(text)
            expect(await read()).toBe(text)
          }
          await write(null)
          expect([...keychain.keys()]).toEqual([])
          expect(await read()).toBeNull()
          expect(told).toEqual([])
        }
      }
    },
  )

  it("what a process leaves that dies again and again is cleared away in the end", async () => {
    for (let at = 1; at < 12; at++)
      for (let second = 1; second < 12; second++) {
        const { keychain, told, read, write } = device(hasFence)
        await write(record("a", 9000))
        await write(record("b", 4500), { at, after: false })
        await write(null, { at: second, after: true })
        expect([null, record("a", 9000), record("b", 4500)]).toContain(await read())
        await write(null)
        expect([...keychain.keys()]).toEqual([])
        expect(told).toEqual([])
      }
  })

  it("a newest record that is not what was written does not count: the one before it does", async () => {
    const { keychain, told, read, write } = device(hasFence)
    await write(record("a", 5000))
    await write(record("b", 5000))
    for (const [key, value] of keychain) keychain.set(key, value.replace("bbb", "bab"))
    expect(await read()).toBe(record("a", 5000))
    expect(told).toEqual([])
  })

  it("P11: nothing left that is what was written: told once, never taken for empty", async () => {
    const { keychain, told, read, write } = device(hasFence)
    await write(record("a", 5000))
    for (const [key, value] of keychain) keychain.set(key, value.replace("aaa", "aba"))
    expect(await read()).toBeNull()
    expect(told).toEqual(["unreadable"])
    expect([...keychain.keys()]).toEqual([])
    await write(record("b", 10))
    expect(await read()).toBe(record("b", 10))
    expect(told).toEqual(["unreadable"])
  })

  it("a chunk that the keychain lost takes its record along, and no later one", async () => {
    const { keychain, read, write } = device(hasFence)
    await write(record("a", 10))
    await write(record("b", 9000))
    const [second = ""] = [...keychain.keys()].filter((key) => key.endsWith(".1"))
    keychain.delete(second)
    expect(await read()).toBe(record("a", 10))
    for (const length of [10, 3000, 9000, 10]) {
      await write(record("c", length))
      expect(await read()).toBe(record("c", length))
    }
  })
})

it("P10: after a loss that was told the fence holds again: the next loss is told too", async () => {
  const { keychain, told, read, write } = device(true)
  for (const count of [1, 2]) {
    await write(record("a", 10))
    keychain.clear()
    // One process finds the loss and writes anew.
    await write(record("b", 10))
    keychain.clear()
    expect(await read()).toBeNull()
    expect(told).toHaveLength(count * 2)
  }
})

it("a keychain that fails is no empty one, and a locked one says so", async () => {
  const failing = (message: string) => {
    const fail = async () => {
      throw new Error(message)
    }
    return keychainStorage({ getItem: fail, setItem: fail, removeItem: fail }, NAME, webCrypto, undefined)
  }
  expect(await codeOf(failing("User interaction is not allowed. (-25308)").read())).toBe("storage_locked")
  await expect(failing("disk full").read()).rejects.toThrow("disk full")
})
