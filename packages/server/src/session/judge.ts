import { equal } from "#crypto"
import type { Advance, SessionRow } from "../stores/contract.js"
import { forwardRing, markOf, recall } from "./history.js"

/** One use of one generation: what the row must hold before it (`cur`) and after it (`nextCur`). */
export interface Use {
  sid: string
  gen: number
  cur: Uint8Array
  nextCur: Uint8Array
}

export type Verdict =
  | { verdict: "ended"; code: "invalid_token" | "session_expired" | "session_revoked" }
  /** The row can be moved by this step. */
  | { verdict: "advance"; step: Advance; forward: boolean }
  /** The identical request, answered before. */
  | { verdict: "repeat"; recent: boolean }
  /** Two parties used one generation. */
  | { verdict: "reuse" }

/** Seconds after its commit in which a repeat still brings a session token. */
const REPEAT_WINDOW = 30

/** The step of an honest client whose store has lost nothing. */
export const plainStep = (use: Use, idleSeconds: number): Advance => ({
  sid: use.sid,
  expect: { gen: use.gen, cur: use.cur },
  next: { gen: use.gen + 1, cur: use.nextCur },
  history: { mark: markOf(use.nextCur) },
  idleSeconds,
})

/** Why a row cannot be refreshed whoever asks; `null` for one that lives. */
export function endOf(row: SessionRow, now: number): Extract<Verdict, { verdict: "ended" }> | null {
  if (row.cur.length === 0) return { verdict: "ended", code: "invalid_token" }
  if (row.revokedAt !== null) return { verdict: "ended", code: "session_revoked" }
  if (now >= row.idleExpiresAt || now >= row.absoluteExpiresAt) {
    return { verdict: "ended", code: "session_expired" }
  }
  return null
}

/** Judges a use by the row that the store showed when it refused the plain step. `now` is the store's time, seconds. */
export function judge(use: Use, row: SessionRow, now: number, idleSeconds: number): Verdict {
  const end = endOf(row, now)
  if (end) return end

  // R9: the store lost commits. The token bears our MAC, so the line did get this far: it is believed and moves on.
  if (use.gen > row.gen) {
    const ring = forwardRing(row, use)
    const expect = { gen: row.gen, cur: row.cur }
    return {
      verdict: "advance",
      forward: true,
      step: { ...plainStep(use, idleSeconds), expect, history: { ring } },
    }
  }

  if (use.gen === row.gen) {
    // The row was read after the refusal, and by then it was as expected (a clock that jumped, a restore): ask again.
    return equal(row.cur, use.cur)
      ? { verdict: "advance", forward: false, step: plainStep(use, idleSeconds) }
      : { verdict: "reuse" }
  }

  // F2: a repeat proves itself by both ends of its step. Skipped generations prove nothing, in either direction.
  const before = recall(row, use.gen, use.cur)
  const after = recall(row, use.gen + 1, use.nextCur)
  const repeats = [before, after].every((mark) => mark === "same" || mark === "unknown")
  if (!repeats) return { verdict: "reuse" }
  const age = now - row.seenAt
  // F5: a recorded request brings nothing usable once its commit is half a minute old.
  const recent =
    use.gen + 1 === row.gen && before === "same" && after === "same" && age >= 0 && age <= REPEAT_WINDOW
  return { verdict: "repeat", recent }
}
