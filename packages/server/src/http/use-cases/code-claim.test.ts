import { beforeEach, describe, expect, it } from "vitest"
import type { Store } from "../../stores/contract.js"
import { memoryStore } from "../../stores/memory.js"
import { createKeyRing } from "../../vault/keyring.js"
import { type CodeClaim, createCodeClaims, type Identifying } from "./code-claim.js"

const ring = createKeyRing([{ secret: "a secret for tests of the claim, 0123456789", signFrom: 0 }], [])
const START = 1_800_000_000
const WHOLE: Identifying = ["provider", "code", undefined, "challenge"]

let storeTime: number
let store: Store
let calls: string[]
beforeEach(() => {
  storeTime = START
  calls = []
  const { claim, settle, ...inner } = memoryStore({ now: () => storeTime * 1000 })
  store = {
    ...inner,
    claim(...args) {
      calls.push("claim")
      return claim(...args)
    },
    settle(...args) {
      calls.push("settle")
      return settle(...args)
    },
  }
})

/** A process whose clock is off by some seconds. */
const processOff = (seconds = 0) => createCodeClaims({ store, ring, now: () => storeTime + seconds })

async function ours(claiming: ReturnType<typeof processOff>, identifying = WHOLE): Promise<CodeClaim> {
  const claimed = await claiming("code", identifying)
  if (claimed.outcome !== "ours") throw new Error(claimed.outcome)
  return claimed.claim
}
const outcome = async (identifying = WHOLE) => (await processOff()("code", identifying)).outcome

it("C2: a code is remembered for fifteen minutes, longer than any provider lets one live", async () => {
  await ours(processOff())
  storeTime += 899
  expect(await outcome(["another request"])).toBe("replay")
  storeTime += 1
  expect(await outcome()).toBe("ours")
})

it.each<[string, Identifying]>([
  ["another text in place of one", ["provider", "code", undefined, "other"]],
  ["another first one", ["other", "code", undefined, "challenge"]],
  ["a text in place of none", ["provider", "code", "iss", "challenge"]],
  ["an empty text in place of none", ["provider", "code", "", "challenge"]],
  ["the text 0 in place of none", ["provider", "code", "0", "challenge"]],
  ["none in place of a text", ["provider", "code", undefined, undefined]],
  ["one left out", ["provider", "code", "challenge"]],
  ["the same in other places", ["provider", "code", "challenge", undefined]],
  ["the same cut elsewhere", ["provider", "codec", undefined, "hallenge"]],
])("C2: %s is another request", async (_, identifying) => {
  await ours(processOff())
  expect(await outcome(identifying)).toBe("replay")
  expect(await outcome()).toBe("repeat")
})

it("C14: the session that may come of it has an id of its own, of 128 bits that nobody can guess", async () => {
  const { sid } = await ours(processOff())
  expect(sid).toMatch(/^[\w-]{22}$/)
  storeTime += 900
  expect((await ours(processOff())).sid).not.toBe(sid)
})

it("G1: a request is kept as its hash alone", async () => {
  expect((await ours(processOff())).fingerprint).toMatch(/^[\w-]{43}$/)
})

describe("its deadline is twenty seconds away, on the store's clock", () => {
  it.each([0, 2, -2])(
    "or a little off where the process is off by %i s: no call is spent on that",
    async (off) => {
      const { deadline } = await ours(processOff(off))
      expect(deadline).toBe(START + off + 20)
      expect(calls).toEqual(["claim"])
    },
  )

  it.each([3, -3, 3600, -3600])("where the process is off by %i s, by one call more, once", async (off) => {
    const claiming = processOff(off)
    const { deadline } = await ours(claiming)
    expect(deadline).toBe(START + 20)
    const again = await claiming("code", WHOLE)
    expect(again).toMatchObject({ outcome: "repeat", now: START, record: { state: "open", deadline } })
    expect(calls).toEqual(["claim", "settle", "claim"])
    storeTime += 5
    expect(await claiming("another code", WHOLE)).toMatchObject({ claim: { deadline: START + 25 } })
    expect(calls).toHaveLength(4)
  })

  it("a correction that the store did not take is none", async () => {
    Object.assign(store, { settle: async () => false })
    expect((await ours(processOff(-3600))).deadline).toBe(START - 3600 + 20)
  })
})

describe.each([0, 3600])("the end of a claim, by a process that is off by %i s", (off) => {
  it.each(["failed", "interrupted"] as const)("%s is what a repeat finds", async (state) => {
    const claim = await ours(processOff(off))
    await claim.settle(state)
    const { sid, deadline } = claim
    expect(await processOff()("code", WHOLE)).toMatchObject({ record: { state, sid, deadline } })
  })

  it("a code that was given back can be claimed again", async () => {
    await (await ours(processOff(off))).release()
    expect(await outcome(["another request"])).toBe("ours")
  })

  it("a store that fails is heard", async () => {
    const claim = await ours(processOff(off))
    const down = () => Promise.reject(new Error("down"))
    Object.assign(store, { settle: down, release: down })
    await expect(claim.settle("failed")).rejects.toThrow("down")
    await expect(claim.release()).rejects.toThrow("down")
  })
})
