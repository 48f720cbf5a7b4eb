import { describe, expect, it } from "vitest"
import { fakeClock } from "../testing/clock.js"
import { repeat } from "./repeat.js"
import { type Answer, type Call, unknown } from "./wire.js"

const CALL: Call = { method: "POST", path: "/refresh", body: {} }

/** When each try was sent and how long it had, where answers come as given; `byte` is what the jitter draws. */
async function tries(answers: Answer[], { byte = 255, takes = 0, settled = false } = {}) {
  const clock = fakeClock()
  const start = clock.monotonic()
  const sent: [at: number, timeout: number | undefined][] = []
  const send = async (call: Call) => {
    expect(call).toMatchObject(CALL)
    sent.push([clock.monotonic() - start, call.timeout])
    clock.advance(takes)
    return answers[sent.length - 1] ?? unknown()
  }
  const crypto = {
    randomBytes: (length: number) => new Uint8Array(length).fill(byte),
    sha256: (data: Uint8Array) => data,
  }
  const wire = { send, base: () => "" }
  const answer = await repeat({ wire, clock, crypto }, CALL, () => settled)
  return { sent, answer, took: clock.monotonic() - start }
}

describe("repeat", () => {
  it("asks four times at most, with full jitter whose bound doubles from half a second to four", async () => {
    const { sent } = await tries([], { byte: 128 })
    expect(sent.map(([at]) => at)).toEqual([0, 250, 750, 1750])
    expect((await tries([], { byte: 0 })).sent.map(([at]) => at)).toEqual([0, 0, 0, 0])
  })

  it("once where that settles it", async () => {
    const { sent, took } = await tries([], { settled: true })
    expect(sent).toHaveLength(1)
    expect(took).toBe(0)
  })

  it("waits for as long as the backend says, if that is longer", async () => {
    const { sent } = await tries([unknown(3000), unknown(100)], { byte: 128 })
    expect(sent.slice(0, 3).map(([at]) => at)).toEqual([0, 3000, 3500])
  })

  it("has fifteen seconds for all of it, and no try has more than what is left", async () => {
    const { sent, took } = await tries([], { byte: 0, takes: 6000 })
    expect(sent).toEqual([
      [0, 15_000],
      [6000, 9000],
      [12_000, 3000],
    ])
    expect(took).toBe(18_000)
  })

  it.each([
    [14_999, 2],
    [15_000, 1],
  ])("a wait of %i ms makes %i tries: none that had no time left", async (wait, count) => {
    const { sent, answer, took } = await tries([unknown(wait)])
    expect(sent).toHaveLength(count)
    expect(took).toBe(count === 1 ? 0 : wait)
    expect(answer.wait).toBe(count === 1 ? wait : 0)
  })
})
