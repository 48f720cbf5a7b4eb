import { describe, expect, it, vi } from "vitest"
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

/** A keychain and a fence in memory, as they are. */
function memory() {
  const values = new Map<string, string>()
  const store = {
    getItem: vi.fn(async (key: string) => values.get(key) ?? null),
    setItem: vi.fn(async (key: string, value: string) => void values.set(key, value)),
    removeItem: async (key: string) => void values.delete(key),
  }
  return { values, store }
}

it.each([
  ["User interaction is not allowed.", { code: "storage_locked", phase: "storage" }],
  ["user INTERACTION is not allowed", { code: "storage_locked", phase: "storage" }],
  ["OSStatus error -25308", { code: "storage_locked", phase: "storage" }],
  // The record makes `storage_unavailable` of it, as of whatever else a storage throws.
  ["disk full", { message: "disk full" }],
])("P12: a keychain that fails is no empty one: %s", async (message, expected) => {
  const fail = () => Promise.reject(new Error(message))
  const keychain = { getItem: fail, setItem: fail, removeItem: fail }
  const error = await keychainStorage(keychain, NAME, webCrypto, undefined)
    .read()
    .catch((e) => e)
  expect(error).toMatchObject(expected)
})

it("A1: what hinders is named, where that is not the keychain", async () => {
  const crypto = { ...webCrypto, sha256: () => new Uint8Array(0) }
  const { store } = memory()
  expect(await codeOf(keychainStorage(store, NAME, crypto, undefined).read())).toBe("crypto_unavailable")
})

it.each([undefined, "", null])("a keychain may say %j for nothing", async (nothing) => {
  const { values, store } = memory()
  const getItem = async (key: string) => values.get(key) ?? (nothing as null)
  const storage = keychainStorage({ ...store, getItem }, NAME, webCrypto, undefined)
  expect(await storage.read()).toBeNull()
  await storage.update(() => "a")
  expect(await storage.read()).toBe("a")
})

it("a keychain that cannot forget says so", async () => {
  const { store } = memory()
  const removeItem = () => Promise.reject(new Error("disk full"))
  const storage = keychainStorage({ ...store, removeItem }, NAME, webCrypto, undefined)
  await storage.update(() => "a")
  await expect(storage.update(() => null)).rejects.toThrow("disk full")
})

it("P13: fills each value up to what a keychain takes, and no further", async () => {
  const { values, store } = memory()
  await keychainStorage(store, NAME, webCrypto, undefined).update(() => record("a", 5000))
  expect([...values.values()].map(({ length }) => length)).toEqual([2048, 2048, expect.any(Number)])
})

it("changes that cross are made one after the other, each on what the one before left", async () => {
  const { store } = memory()
  const storage = keychainStorage(store, NAME, webCrypto, undefined)
  const changes = ["a", "b", "c"].map((letter) => storage.update((current) => (current ?? "") + letter))
  await Promise.all(changes)
  expect(await storage.read()).toBe("abc")
})

describe("the fence", () => {
  it("is written for the first record and for the last, not for those between, nor for a look", async () => {
    const { store } = memory()
    const fence = memory()
    const storage = keychainStorage(store, NAME, webCrypto, fence.store)
    await storage.read()
    expect(fence.store.setItem).not.toHaveBeenCalled()
    for (const text of ["a", "b", "c"]) await storage.update(() => text)
    expect(fence.store.setItem.mock.calls.map(([key, value]) => [key, value.split(":")[1]])).toEqual([
      ["pkce.install", ""],
      ["pkce.install", "1"],
    ])
    await storage.update(() => null)
    expect(fence.store.setItem).toHaveBeenCalledTimes(3)
  })

  it("is of each client its own", async () => {
    const { store } = memory()
    const fence = memory()
    for (const name of ["one", "two"])
      await keychainStorage(store, name, webCrypto, fence.store).update(() => name)
    expect([...fence.values.keys()]).toEqual(["one.install", "two.install"])
    expect(await keychainStorage(store, "one", webCrypto, fence.store).read()).toBe("one")
  })

  it("that fails fails the change, whose record may then not be told from another installation's", async () => {
    const { store } = memory()
    const setItem = () => Promise.reject(new Error("disk full"))
    const storage = keychainStorage(store, NAME, webCrypto, { ...memory().store, setItem })
    await expect(storage.update(() => "a")).rejects.toThrow("disk full")
    expect(store.setItem).not.toHaveBeenCalled()
  })

  it("that fails behind the record fails the change too: what it does not hold could be lost unseen", async () => {
    const { store } = memory()
    const fence = memory()
    fence.store.setItem.mockImplementationOnce(async () => {}).mockRejectedValueOnce(new Error("disk full"))
    const storage = keychainStorage(store, NAME, webCrypto, fence.store)
    await expect(storage.update(() => "a")).rejects.toThrow("disk full")
  })

  it("that an update of the app took away takes no record along", async () => {
    const { store } = memory()
    await keychainStorage(store, NAME, webCrypto, memory().store).update(() => "a")
    expect(await keychainStorage(store, NAME, webCrypto, undefined).read()).toBe("a")
  })
})

it("R5: a first record that is torn in its hash, at any letter of it, is none and no loss", async () => {
  for (let length = 1900; length < 2010; length++) {
    const { told, read, write } = device(false)
    // Its first chunk is written, and no other.
    await write(record("a", length), { at: 1, after: true })
    await read()
    expect(told, `${length}`).toEqual([])
  }
})

it("P11: the one record that was whole is told as lost, in whichever slot it was", async () => {
  for (const count of [1, 2]) {
    const { keychain, told, read, write } = device(false)
    for (let written = 0; written < count; written++) await write(record("a", 3000))
    // The next one is torn, and what it was to follow is then damaged.
    await write(record("b", 3000), { at: count === 1 ? 1 : 3, after: true })
    for (const [key, value] of keychain) keychain.set(key, value.replace("aaa", "aba"))
    expect(await read()).toBeNull()
    expect(told, `${count}`).toEqual(["unreadable"])
  }
})
