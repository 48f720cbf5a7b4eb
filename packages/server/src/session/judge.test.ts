import { expect, test } from "vitest"
import type { SessionRow } from "../stores/contract.js"
import { newRow } from "../stores/rows.js"
import { newSession } from "../testing/conformance/case.js"
import { markOf } from "./history.js"
import { judge, type Use } from "./judge.js"

const NOW = 1_900_000_000
const value = (fill: number) => new Uint8Array(32).fill(fill)

/** A row of generation `gen` in which exactly these generations are known; the value of generation g is filled with g. */
function row(gen: number, known: number[], overrides: Partial<SessionRow> = {}): SessionRow {
  const history = new Uint8Array(256)
  for (const g of known) history.set(markOf(value(g)), (g % 32) * 8)
  return {
    ...newRow(newSession(), NOW),
    gen,
    cur: value(gen),
    history,
    ...overrides,
  }
}

const use = (gen: number, cur = value(gen), nextCur = value(gen + 1)): Use => ({
  sid: "s",
  gen,
  cur,
  nextCur,
})
const verdict = (u: Use, r: SessionRow, now = NOW) => judge(u, r, now, 60)

test("a repeat of the last step is recent only where both of its ends are known", () => {
  expect(verdict(use(4), row(5, [4, 5]))).toEqual({ verdict: "repeat", recent: true })
  for (const known of [[4], [5], []]) {
    expect(verdict(use(4), row(5, known))).toEqual({ verdict: "repeat", recent: false })
  }
})

test("a repeat is recent for 30 seconds of the store's clock, and for no older step", () => {
  for (const [age, recent] of [
    [0, true],
    [30, true],
    [31, false],
    [-1, false],
  ] as const) {
    expect(verdict(use(4), row(5, [4, 5]), NOW + age)).toEqual({ verdict: "repeat", recent })
  }
  expect(verdict(use(3), row(5, [3, 4, 5]))).toEqual({ verdict: "repeat", recent: false })
})

test("F1: either end of a step that differs is reuse", () => {
  expect(verdict(use(4, value(99)), row(5, [4, 5]))).toEqual({ verdict: "reuse" })
  expect(verdict(use(4, value(4), value(99)), row(5, [4, 5]))).toEqual({ verdict: "reuse" })
  expect(verdict(use(5, value(99)), row(5, [4, 5]))).toEqual({ verdict: "reuse" })
})

test("the ring reaches back 31 steps and no further", () => {
  const all = Array.from({ length: 32 }, (_, i) => 9 + i)
  expect(verdict(use(9), row(40, all)).verdict).toBe("repeat")
  expect(verdict(use(8), row(40, all)).verdict).toBe("reuse")
  // Behind the ring nothing counts as unknown: its slots speak of later generations.
  expect(verdict(use(8), row(40, [])).verdict).toBe("reuse")
})

test("R9: a forward move forgets what stood in the slots of the gap, and keeps the rest", () => {
  const all = Array.from({ length: 32 }, (_, i) => 9 + i)
  const judged = verdict(use(45), row(40, all))
  if (judged.verdict !== "advance" || !("ring" in judged.step.history)) throw new Error("not a forward move")
  const { ring } = judged.step.history
  const marks = Array.from({ length: 32 }, (_, slot) => ring.subarray(slot * 8, slot * 8 + 8))
  for (const g of [41, 42, 43, 44]) expect(marks[g % 32]).toEqual(new Uint8Array(8))
  for (const g of [40, 39, 16, 45, 46]) expect(marks[g % 32]).toEqual(markOf(value(g)))
  expect(judged.step.expect).toEqual({ gen: 40, cur: value(40) })
  expect(judged.step.next).toEqual({ gen: 46, cur: value(46) })
})

test("R9: a gap as wide as the ring leaves only the two generations that were shown", () => {
  const judged = verdict(
    use(90),
    row(
      40,
      Array.from({ length: 32 }, (_, i) => 9 + i),
    ),
  )
  if (judged.verdict !== "advance" || !("ring" in judged.step.history)) throw new Error("not a forward move")
  const known = judged.step.history.ring.filter((byte) => byte !== 0).length
  expect(known).toBe(16)
})

test("how a session ended comes before everything else", () => {
  const thief = use(4, value(99))
  expect(verdict(thief, row(5, [4, 5], { revokedAt: NOW }))).toEqual({
    verdict: "ended",
    code: "session_revoked",
  })
  expect(verdict(thief, row(5, [4, 5], { idleExpiresAt: NOW }))).toEqual({
    verdict: "ended",
    code: "session_expired",
  })
  const past = row(5, [4, 5], { absoluteExpiresAt: NOW })
  expect(verdict(use(9), past)).toEqual({ verdict: "ended", code: "session_expired" })
  expect(verdict(use(5), row(5, [], { cur: new Uint8Array() }))).toEqual({
    verdict: "ended",
    code: "invalid_token",
  })
})

test("no mark of a value is the mark of what is unknown", () => {
  expect(markOf(new Uint8Array(32))).toEqual(Uint8Array.of(0x80, 0, 0, 0, 0, 0, 0, 0))
})
