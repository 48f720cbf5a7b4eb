import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import type { PkceEventInput } from "../events.js"
import type { KeyProvider } from "../key-provider.js"
import { createKeyCache } from "./key-cache.js"

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const HOUR = 3_600_000
const keyOf = (id: string) => new Uint8Array(32).fill(id.charCodeAt(0))
const refusal = { code: "unavailable", status: 503, reason: "key_provider_failed" }
const never = () => new Promise<never>(() => undefined)

/** A key provider that counts, and answers what a test sets. */
function rig() {
  const asked: string[] = []
  const events: PkceEventInput[] = []
  const answers: { current: KeyProvider["current"]; find: KeyProvider["find"] } = {
    current: async () => ({ id: "a", key: keyOf("a") }),
    find: async (id) => keyOf(id),
  }
  const provider: KeyProvider = {
    current() {
      asked.push("current")
      return answers.current()
    },
    find(id) {
      asked.push(id)
      return answers.find(id)
    },
  }
  let time = 0
  const cache = createKeyCache(
    provider,
    (event) => void events.push(event),
    () => time,
  )
  return {
    asked,
    events,
    answers,
    cache,
    pass(milliseconds: number) {
      time += milliseconds
    },
  }
}

describe("find", () => {
  test("asks once for a key, however many want it at once, and keeps it", async () => {
    const { cache, asked } = rig()
    const found = await Promise.all(Array.from({ length: 50 }, () => cache.find("k")))
    expect(new Set(found)).toEqual(new Set([keyOf("k")]))
    await cache.find("k")
    expect(asked).toEqual(["k"])
  })

  test("keeps no answer but a key: a key that is added is found at once", async () => {
    const { cache, asked, answers } = rig()
    for (const answer of ["unknown", "retired"] as const) {
      answers.find = async () => answer
      expect(await cache.find("k")).toBe(answer)
    }
    answers.find = async (id) => keyOf(id)
    expect(await cache.find("k")).toEqual(keyOf("k"))
    expect(asked.length).toBe(3)
  })

  test("keeps 1,000 keys, and drops the one that was not used for longest", async () => {
    const { cache, asked } = rig()
    for (let i = 0; i < 1000; i++) await cache.find(`k${i}`)
    await cache.find("k0")
    expect(asked.length).toBe(1000)
    await cache.find("one more")
    await cache.find("k0")
    expect(asked.length).toBe(1001)
    await cache.find("k1")
    expect(asked.length).toBe(1002)
  })

  test("keeps a copy, so that the provider may wipe its own", async () => {
    const { cache, answers } = rig()
    const own = keyOf("k")
    answers.find = async () => own
    await cache.find("k")
    own.fill(0)
    expect(await cache.find("k")).toEqual(keyOf("k"))
  })
})

describe("what fails is an outage of ours, with one event", () => {
  const failing: [string, () => unknown][] = [
    ["throws", () => Promise.reject(new Error("AccessDenied: arn:aws:kms:secret"))],
    [
      "throws at once",
      () => {
        throw new Error("no client")
      },
    ],
    ["gives a short key", async () => new Uint8Array(31)],
    ["gives a long key", async () => new Uint8Array(33)],
    ["gives a text", async () => "x".repeat(32)],
    ["gives a list", async () => Array.from({ length: 32 }, () => 1)],
    ["gives nothing", async () => undefined],
  ]

  test.each(failing)("find %s", async (_, fail) => {
    const { cache, events, answers } = rig()
    answers.find = fail as KeyProvider["find"]
    const errors = await Promise.all([1, 2, 3].map(() => cache.find("k").catch((error: unknown) => error)))
    for (const error of errors) expect(error).toMatchObject(refusal)
    const [error] = errors as { errorId: string }[]
    expect(events).toEqual([{ type: "keyring.failed", error_id: error?.errorId }])
    // The next one asks again.
    answers.find = async (id) => keyOf(id)
    expect(await cache.find("k")).toEqual(keyOf("k"))
  })

  const bad: [string, unknown][] = [
    ["an empty id", { id: "", key: keyOf("a") }],
    ["an id with a space", { id: "a b", key: keyOf("a") }],
    ["an id with a line break", { id: "a\nb", key: keyOf("a") }],
    ["an id that is not ASCII", { id: "ä", key: keyOf("a") }],
    ["an id of 1,025 characters", { id: "a".repeat(1025), key: keyOf("a") }],
    ["a key of 16 bytes", { id: "a", key: new Uint8Array(16) }],
    ["no key", { id: "a" }],
    ["nothing", undefined],
  ]

  test.each(bad)("current gives %s", async (_, answer) => {
    const { cache, events, answers } = rig()
    answers.current = (async () => answer) as KeyProvider["current"]
    await expect(cache.current()).rejects.toMatchObject(refusal)
    expect(events.map(({ type }) => type)).toEqual(["keyring.failed"])
  })

  test("a call that hangs is given up after 1.8 seconds", async () => {
    const { cache, events, answers } = rig()
    Object.assign(answers, { find: never, current: never })
    const waiting = [cache.find("k"), cache.find("k"), cache.current()].map((call) =>
      call.catch((error: unknown) => error),
    )
    await vi.advanceTimersByTimeAsync(1799)
    expect(events).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    for (const call of waiting) expect(await call).toMatchObject(refusal)
    expect(events.length).toBe(2)
  })

  test("no timer is left behind", async () => {
    const { cache, answers } = rig()
    await Promise.all([cache.current(), cache.find("k")])
    answers.find = async () => Promise.reject(new Error())
    await cache.find("other").catch(() => undefined)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe("current", () => {
  test("is asked once an hour, by one call, and what it gives is found without a call", async () => {
    const { cache, asked, answers, pass } = rig()
    await Promise.all(Array.from({ length: 20 }, () => cache.current()))
    pass(HOUR - 1)
    expect(await cache.current()).toEqual({ id: "a", key: keyOf("a") })
    expect(await cache.find("a")).toEqual(keyOf("a"))
    expect(asked).toEqual(["current"])
    answers.current = async () => ({ id: "b", key: keyOf("b") })
    pass(1)
    // Nobody waits for the new one: the old one is as good.
    expect(await cache.current()).toMatchObject({ id: "a" })
    await vi.advanceTimersByTimeAsync(0)
    expect(await cache.current()).toMatchObject({ id: "b" })
    expect(asked).toEqual(["current", "current"])
  })

  test("the last key seals on for a day where the provider fails, which is asked every ten seconds", async () => {
    const { cache, asked, events, answers, pass } = rig()
    await cache.current()
    answers.current = async () => Promise.reject(new Error())
    pass(HOUR)
    for (let i = 0; i < 5; i++) {
      expect(await cache.current()).toMatchObject({ id: "a" })
      await vi.advanceTimersByTimeAsync(0)
    }
    expect([asked.length, events.length]).toEqual([2, 1])
    pass(10_000)
    await cache.current()
    await vi.advanceTimersByTimeAsync(0)
    expect([asked.length, events.length]).toEqual([3, 2])
    pass(23 * HOUR - 10_000)
    await expect(cache.current()).rejects.toMatchObject(refusal)
  })

  test("null is an answer, which is kept as well", async () => {
    const { cache, asked, answers } = rig()
    answers.current = async () => null
    expect([await cache.current(), await cache.current()]).toEqual([null, null])
    expect(asked.length).toBe(1)
  })
})
