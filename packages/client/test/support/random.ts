/** A generator of its own for each run, so that a run that fails can be run again (mulberry32). */
export function seeded(seed: number) {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (bound: number) => Math.floor(next() * bound)
  return {
    below,
    chance: (probability: number) => next() < probability,
    of: <T>(choices: readonly T[]): T => choices[below(choices.length)] as T,
    bytes: (length: number) => Uint8Array.from({ length }, () => below(256)),
  }
}
export type Random = ReturnType<typeof seeded>
