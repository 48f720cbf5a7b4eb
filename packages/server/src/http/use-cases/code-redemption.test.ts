import { beforeEach, describe, expect, it } from "vitest"
import { PkceError, ProviderError } from "../../errors.js"
import { memoryStore } from "../../stores/memory.js"
import { createKeyRing } from "../../vault/keyring.js"
import type { Rooms } from "../rooms.js"
import type { CodeClaim } from "./code-claim.js"
import { afterFailure, createCodeRedemption } from "./code-redemption.js"

const START = 1_800_000_000

let storeTime: number
let processTime: number
let rooms: Rooms
/** What the first request came to, as a repeat finds it. */
let result: string | null
let redeemed: number
beforeEach(() => {
  storeTime = processTime = START
  result = null
  redeemed = 0
  rooms = {
    store: memoryStore({ now: () => storeTime * 1000 }),
    ring: createKeyRing([{ secret: "a secret for tests of the claim, 0123456789", signFrom: 0 }], []),
    now: () => processTime,
    vault: { ready: async () => undefined },
  } as Partial<Rooms> as Rooms
})

const never = () => new Promise<never>(() => undefined)
/** The identical request, at a process of its own. `pause` is what happens while it waits. */
function ask(
  redeem: (claim: CodeClaim) => Promise<string>,
  pause: (milliseconds: number) => void = () => undefined,
) {
  return createCodeRedemption(rooms, async (milliseconds) => pause(milliseconds))<string>({
    code: "code",
    identifying: ["code"],
    redeem(claim) {
      redeemed++
      return redeem(claim)
    },
    find: async (_, now) => (result === null ? { now } : { result }),
  })
}
/** A request that is at the provider, and stays there. */
async function atProvider() {
  void ask(never)
  await new Promise((resolve) => setTimeout(resolve, 5))
}

describe("C4: a repeat, while another process is at it", () => {
  it("looks once more after its last pause", async () => {
    await atProvider()
    let pauses = 0
    const again = ask(never, () => {
      if (++pauses === 10) result = "the session"
    })
    expect(await again).toBe("the session")
    expect(redeemed).toBe(1)
  })

  it("does not pause after that, and may come again in a second", async () => {
    await atProvider()
    const pauses: number[] = []
    const again = ask(never, (milliseconds) => pauses.push(milliseconds))
    await expect(again).rejects.toMatchObject({
      code: "exchange_in_progress",
      retryAfter: 1,
      retryable: true,
    })
    expect(pauses).toHaveLength(10)
    expect(pauses.every((pause) => pause > 0)).toBe(true)
  })

  it.each([0, 3600, -3600])(
    "is told of its end behind the deadline on the store's clock, not at it (a process off by %i s)",
    async (off) => {
      processTime += off
      await atProvider()
      storeTime += 20
      processTime += 20
      await expect(ask(never)).rejects.toMatchObject({ code: "exchange_in_progress" })
      storeTime += 1
      const over = { code: "exchange_interrupted", reason: "deadline_passed", retryable: false }
      await expect(ask(never)).rejects.toMatchObject(over)
      expect(redeemed).toBe(1)
    },
  )
})

it.each([
  ["failed", "login_failed", "failed_before"],
  ["interrupted", "exchange_interrupted", "interrupted_before"],
] as const)("C2: after a claim that has %s a repeat is %s (%s)", async (state, code, reason) => {
  await ask(async (claim) => {
    await claim.settle(state)
    return ""
  })
  await expect(ask(never)).rejects.toMatchObject({ code, reason })
  expect(redeemed).toBe(1)
})

it("C2: another request with the code is a replay, whatever came of the first", async () => {
  await atProvider()
  const redemption = createCodeRedemption(rooms)
  const other = redemption({ code: "code", identifying: ["other"], redeem: never, find: never })
  await expect(other).rejects.toMatchObject({ code: "login_failed", reason: "code_replay" })
})

it("G6: what could not be sealed is not fetched: the code is not even claimed", async () => {
  rooms.vault.ready = () => Promise.reject(new PkceError("unavailable"))
  await expect(ask(never)).rejects.toMatchObject({ code: "unavailable" })
  rooms.vault.ready = async () => undefined
  expect(await ask(async () => "the session")).toBe("the session")
})

describe("after a failure", () => {
  const fails = new Error("our own fault")
  const refused = new ProviderError("login_failed", true, { reason: "invalid_grant" })
  const late = new ProviderError("login_failed", false, { reason: "nonce_required" })
  const unsent = new ProviderError("idp_unavailable", false)
  const keys = new PkceError("unavailable", { reason: "keyring_missing" })

  const interrupted = (reason: string) => ({ code: "exchange_interrupted", reason, retryable: false })
  const cases: [string, unknown, string, object][] = [
    ["a refusal", refused, "failed", refused],
    ["a refusal before anything was sent", late, "failed", late],
    ["a provider that was not reached", unsent, "released", unsent],
    [
      "an answer that never came",
      new ProviderError("idp_timeout", true),
      "interrupted",
      interrupted("idp_timeout"),
    ],
    ["a failure of ours with a reason", keys, "interrupted", interrupted("keyring_missing")],
    ["a failure that nobody foresaw", fails, "interrupted", fails],
  ]

  /** A claim on a store that takes its time. */
  function claimOn(end: (how: string) => void): CodeClaim {
    const later = async (how: string) => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      end(how)
    }
    return { settle: later, release: () => later("released") } as Partial<CodeClaim> as CodeClaim
  }

  it.each(cases)("%s: the claim has ended before anybody hears of it", async (_, thrown, how, told) => {
    const ends: string[] = []
    expect(
      await afterFailure(
        claimOn((end) => ends.push(end)),
        thrown,
      ),
    ).toMatchObject(told)
    expect(ends).toEqual([how])
  })

  it.each(cases)("%s: is told where the store fails too", async (_, thrown, __, told) => {
    const down = claimOn(() => {
      throw new Error("down")
    })
    expect(await afterFailure(down, thrown)).toMatchObject(told)
  })
})
