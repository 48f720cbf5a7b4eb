import { equal } from "#crypto"

const SLOTS = 32
const WIDTH = 8

const at = (generation: number) => (generation % SLOTS) * WIDTH

/** The mark of a generation: the head of its `cur`, top bit set, so that all zero means "unknown" and nothing else. */
export function markOf(cur: Uint8Array): Uint8Array {
  // Not `slice`: a Buffer's shares its bytes, and this mark is written to.
  const mark = new Uint8Array(cur.subarray(0, WIDTH))
  mark[0] = (mark[0] ?? 0) | 0x80
  return mark
}

/** The ring of a new session: generation 0 and nothing else. */
export const newRing = (cur: Uint8Array): Uint8Array => withMark(new Uint8Array(SLOTS * WIDTH), 0, cur)

/**
 * The ring after a forward move: the store lost the generations between the row's and the token's. They are unknown, not
 * wrong: a late copy of an honest request from inside the gap must not raise the alarm.
 */
export function forwardRing(
  row: { gen: number; history: Uint8Array },
  presented: { gen: number; cur: Uint8Array; nextCur: Uint8Array },
): Uint8Array {
  const skipped = presented.gen - row.gen - 1
  const ring = new Uint8Array(row.history)
  if (skipped >= SLOTS) ring.fill(0)
  else for (let g = row.gen + 1; g < presented.gen; g++) ring.fill(0, at(g), at(g) + WIDTH)
  withMark(ring, presented.gen, presented.cur)
  return withMark(ring, presented.gen + 1, presented.nextCur)
}

/** What the ring of a row says of a value of one generation. `forgotten`: it is too old to be in the ring. */
export function recall(
  row: { gen: number; history: Uint8Array },
  generation: number,
  cur: Uint8Array,
): "same" | "unknown" | "other" | "forgotten" {
  if (generation > row.gen || row.gen - generation >= SLOTS) return "forgotten"
  const kept = row.history.subarray(at(generation), at(generation) + WIDTH)
  if (kept.every((byte) => byte === 0)) return "unknown"
  return equal(kept, markOf(cur)) ? "same" : "other"
}

function withMark(ring: Uint8Array, generation: number, cur: Uint8Array): Uint8Array {
  ring.set(markOf(cur), at(generation))
  return ring
}
