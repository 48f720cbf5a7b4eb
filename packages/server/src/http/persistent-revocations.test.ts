import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { Store } from "../stores/contract.js"
import { memoryStore } from "../stores/memory.js"
import { created } from "../testing/conformance/case.js"
import { type PersistentRevocations, persistRevocations } from "./persistent-revocations.js"

const MINUTE = 60_000

let real: Store
/** Says which calls fail. */
let fails: (name: string, subject: unknown) => boolean
/** Milliseconds at which the quiet store was called, since the test began. */
let rounds: number[]
let calls: string[]
let refused: string[]
let ended: [sid: string, reason: string][]
let revocations: PersistentRevocations

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] })
  vi.spyOn(Math, "random").mockReturnValue(1)
  // A clock of its own, which agrees with this process's in nothing but its speed.
  real = memoryStore({ now: () => performance.now() + 1_000_000_000_500 })
  fails = () => false
  rounds = []
  calls = []
  refused = []
  ended = []
  const start = performance.now()
  const faulty = (quiet: boolean) =>
    new Proxy(real, {
      get(target, name: keyof Store) {
        const member = target[name]
        if (typeof member !== "function") return member
        return async (...args: unknown[]) => {
          if (quiet) calls.push(name)
          if (quiet) rounds.push(performance.now() - start)
          if (fails(name, args[0])) throw new Error("the store is gone")
          return Reflect.apply(member, target, args)
        }
      },
    })
  const loud = faulty(false)
  const wrapped: Store = {
    ...real,
    revoke: (sid, reason) => loud.revoke(sid, reason),
    revokeByUser: (sub, reason, except) => loud.revokeByUser(sub, reason, except),
    revokeByProviderSession: (iss, sid, reason) => loud.revokeByProviderSession(iss, sid, reason),
  }
  revocations = persistRevocations(wrapped, faulty(true), {
    refuse: (sid) => void refused.push(sid),
    onEnded: ({ session_id }, reason) => void ended.push([session_id, reason]),
  })
})
afterEach(() => {
  revocations.close()
  vi.restoreAllMocks()
  vi.useRealTimers()
})

const down = () => true
const up = () => false
const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds)
const isLive = async (sid: string) => (await real.find(sid)).row?.revokedAt === null
const revoke = (sid: string, reason = "logout") => revocations.store.revoke(sid, reason)
const revokeByUser = (sub: string, except?: string) => revocations.store.revokeByUser(sub, "user", except)

describe("F12: a revocation that the store did not take", () => {
  it("F12: fails, is refused here at once, and is repeated until the store has it", async () => {
    const { sid } = await created(real)
    fails = down
    await expect(revoke(sid)).rejects.toThrow("gone")
    expect(refused).toEqual([sid])
    await pass(5 * MINUTE)
    expect(await isLive(sid)).toBe(true)
    fails = up
    await pass(15_000)
    expect(await isLive(sid)).toBe(false)
    expect(ended).toEqual([[sid, "logout"]])
    const before = calls.length
    await pass(20 * MINUTE)
    expect(calls.length).toBe(before)
  })

  it("F12: the sessions of one at the provider too, which are refused here as soon as their names are known", async () => {
    const { sid, idpIss } = await created(real, { idpSid: "theirs" })
    const other = await created(real, { idpSid: "another" })
    fails = down
    await expect(revocations.store.revokeByProviderSession(idpIss, "theirs", "logout")).rejects.toThrow(
      "gone",
    )
    expect(refused).toEqual([])
    fails = up
    await pass(15_000)
    expect([await isLive(sid), await isLive(other.sid)]).toEqual([false, true])
    expect([refused, ended]).toEqual([[sid], [[sid, "logout"]]])
  })

  it("waits one second, then longer and longer, at most fifteen; chance takes up to half of it", async () => {
    const { sid } = await created(real)
    fails = down
    await expect(revoke(sid)).rejects.toThrow()
    await pass(61_000)
    expect(rounds).toEqual([1_000, 3_000, 7_000, 15_000, 30_000, 45_000, 60_000])
    vi.mocked(Math.random).mockReturnValue(0)
    await pass(16_000)
    rounds.splice(0, 8)
    await pass(15_000)
    expect(rounds.map((at, index) => at - (rounds[index - 1] ?? at))).toEqual([0, 7_500])
  })

  it("waits one second again when something got through", async () => {
    const [poison, one, two] = [await created(real), await created(real), await created(real)]
    fails = down
    for (const { sid } of [poison, one]) await expect(revoke(sid)).rejects.toThrow()
    await pass(MINUTE)
    fails = (_, subject) => subject === poison.sid
    await pass(30_000)
    expect(ended).toEqual([[one.sid, "logout"]])
    const since = rounds.slice(rounds.length - 4)
    // After the round that had both, and came after the longest pause.
    expect(since.map((at) => at - (since[0] ?? 0))).toEqual([0, 2_000, 6_000, 14_000])

    fails = up
    expect(await revoke(poison.sid)).toBe(true)
    await pass(15_000)
    fails = down
    await expect(revoke(two.sid)).rejects.toThrow()
    fails = up
    await pass(1_000)
    expect(ended).toEqual([
      [one.sid, "logout"],
      [two.sid, "logout"],
    ])
  })

  it("is refused again in each round: what remembers the refusal forgets it in time", async () => {
    const sids = [(await created(real)).sid, (await created(real)).sid]
    fails = down
    for (const sid of sids) await expect(revoke(sid)).rejects.toThrow()
    refused.length = 0
    await pass(1_000)
    expect(refused).toEqual(sids)
    await pass(2_000)
    expect(refused.sort()).toEqual([...sids, ...sids].sort())
  })

  it("holds up no other: one that always fails is tried last", async () => {
    const [poison, ...others] = [await created(real), await created(real), await created(real)]
    fails = down
    for (const { sid } of [poison, ...others]) await expect(revoke(sid)).rejects.toThrow()
    fails = (_, subject) => subject === poison.sid
    await pass(3_000)
    expect(ended.map(([sid]) => sid).sort()).toEqual(others.map(({ sid }) => sid).sort())
    fails = up
    await pass(15_000)
    expect(await isLive(poison.sid)).toBe(false)
  })

  it("asks one thing at a time, however slow the store is", async () => {
    const [first, second] = [await created(real), await created(real)]
    fails = down
    await expect(revoke(first.sid)).rejects.toThrow()
    let letGo: () => void = () => undefined
    const { find } = real
    real.find = async (sid) => {
      await new Promise<void>((resolve) => {
        letGo = resolve
      })
      return find(sid)
    }
    fails = (_, subject) => subject === second.sid
    await pass(1_000)
    await expect(revoke(second.sid)).rejects.toThrow()
    await pass(MINUTE)
    expect(calls).toEqual(["find"])
    fails = up
    real.find = find
    letGo()
    await pass(1_000)
    expect(ended.map(([sid]) => sid)).toEqual([first.sid, second.sid])
  })

  it("keeps the first reason, and is one repeat however often it failed", async () => {
    const { sid } = await created(real)
    fails = down
    for (const reason of ["reuse", "logout", "user"]) await expect(revoke(sid, reason)).rejects.toThrow()
    fails = up
    await pass(1_000)
    expect([ended, calls]).toEqual([[[sid, "reuse"]], ["find", "revoke"]])
  })

  it("is over where the caller's own repeat got through", async () => {
    const { sid, sub } = await created(real)
    fails = down
    await expect(revoke(sid)).rejects.toThrow()
    await expect(revokeByUser(sub)).rejects.toThrow()
    fails = up
    expect(await revoke(sid)).toBe(true)
    expect(await revokeByUser(sub)).toEqual([])
    await pass(MINUTE)
    expect([ended, calls]).toEqual([[], []])
  })

  it("tells nothing of a session that had ended, or is gone", async () => {
    const { sid } = await created(real)
    fails = down
    for (const asked of [sid, "A".repeat(22)]) await expect(revoke(asked)).rejects.toThrow()
    await real.revoke(sid, "elsewhere")
    fails = up
    await pass(1_000)
    expect([ended, calls]).toEqual([[], ["find", "revoke", "find"]])
  })
})

describe("F12: the end of all sessions of a user", () => {
  it("F12: ends those that were there, but the exception, and none that began later", async () => {
    const mine = { sub: "u1" }
    const [kept, ...old] = [await created(real, mine), await created(real, mine), await created(real, mine)]
    const stranger = await created(real)
    await pass(10)
    fails = down
    await expect(revokeByUser("u1", kept.sid)).rejects.toThrow("gone")
    await pass(2_500)
    const later = await created(real, mine)
    await pass(MINUTE)
    fails = up
    await pass(15_000)
    expect(ended.sort()).toEqual(old.map(({ sid }) => [sid, "user"]).sort())
    expect(refused.sort()).toEqual(old.map(({ sid }) => sid).sort())
    for (const { sid } of [kept, stranger, later]) expect(await isLive(sid)).toBe(true)
  })

  it("goes on with the rest where the store fails between two of them", async () => {
    const rows = [await created(real, { sub: "u1" }), await created(real, { sub: "u1" })]
    fails = down
    await expect(revokeByUser("u1")).rejects.toThrow()
    let left = 1
    fails = (name) => name === "revoke" && left-- === 0
    await pass(1_000)
    expect(ended).toHaveLength(1)
    expect(refused.sort()).toEqual(rows.map(({ sid }) => sid).sort())
    await pass(2_000)
    expect(ended.map(([sid]) => sid).sort()).toEqual(rows.map(({ sid }) => sid).sort())
  })

  it("ends what began until it was last asked for", async () => {
    fails = down
    await expect(revokeByUser("u1")).rejects.toThrow()
    fails = (name) => name === "listByUser"
    await pass(5_000)
    const between = await created(real, { sub: "u1" })
    await pass(5_000)
    fails = down
    await expect(revokeByUser("u1")).rejects.toThrow()
    fails = up
    await pass(15_000)
    expect(ended).toEqual([[between.sid, "user"]])
  })

  it("is not over because an earlier call, or an earlier repeat, gets through late", async () => {
    let letGo: () => void = () => undefined
    const { listByUser, revokeByUser: really } = real
    real.listByUser = async (sub) => {
      const found = await listByUser(sub)
      await new Promise<void>((resolve) => {
        letGo = resolve
      })
      return found
    }
    fails = (name) => name === "revokeByUser"
    await expect(revokeByUser("u1")).rejects.toThrow()
    await pass(1_000)
    real.listByUser = listByUser
    await pass(5_000)
    const between = await created(real, { sub: "u1" })
    // A call that began now and answers last.
    let answer: () => void = () => undefined
    fails = up
    real.revokeByUser = () =>
      new Promise((resolve) => {
        answer = () => resolve([])
      })
    const early = revokeByUser("u1")
    await pass(1_000)
    real.revokeByUser = really
    fails = (name) => name === "revokeByUser"
    await expect(revokeByUser("u1")).rejects.toThrow()
    answer()
    await early
    letGo()
    await pass(15_000)
    expect(ended).toEqual([[between.sid, "user"]])
  })
})

describe("F12: what is remembered is bounded", () => {
  it("to fifteen minutes", async () => {
    const { sid } = await created(real)
    fails = down
    await expect(revoke(sid)).rejects.toThrow()
    await pass(15 * MINUTE + 15_000)
    const before = calls.length
    fails = up
    await pass(MINUTE)
    expect(calls.length).toBe(before)
    expect(await isLive(sid)).toBe(true)
  })

  it("to ten thousand", async () => {
    const rows = [await created(real), await created(real)]
    fails = down
    const others = Array.from({ length: 9_999 }, (_, number) => `session ${number}`)
    for (const sid of [...rows.map(({ sid }) => sid), ...others]) await expect(revoke(sid)).rejects.toThrow()
    fails = up
    await pass(1_000)
    expect(calls.filter((name) => name === "find")).toHaveLength(10_000)
    expect(ended.map(([sid]) => sid)).toEqual([rows[1]?.sid])
  })

  it("to the life of the server", async () => {
    const { sid } = await created(real)
    fails = down
    await expect(revoke(sid)).rejects.toThrow()
    revocations.close()
    await expect(revoke(sid)).rejects.toThrow()
    fails = up
    await pass(MINUTE)
    expect(calls).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })

  it("and a process that has nothing else to do may end", async () => {
    const unref = vi.fn()
    vi.spyOn(globalThis, "setTimeout").mockReturnValue({ unref } as unknown as NodeJS.Timeout)
    revocations.endLater({ sid: "A".repeat(22) }, "logout")
    expect(unref).toHaveBeenCalledOnce()
  })
})
