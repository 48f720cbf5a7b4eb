/**
 * A bounded map of two generations: when the young one is full it becomes the old one, and what was old is dropped.
 * Unlike a list in order of use it costs a miss nothing, which matters where the working set is larger than the bound.
 * Holds between `size` and twice `size` of the latest entries.
 */
export function createGenerations<T>(size: number) {
  let young = new Map<string, T>()
  let old = new Map<string, T>()

  function turn(): void {
    old = young
    young = new Map()
  }
  function set(key: string, value: T): void {
    if (young.size >= size) turn()
    young.set(key, value)
  }

  return {
    get(key: string): T | undefined {
      const value = young.get(key)
      if (value !== undefined) return value
      const kept = old.get(key)
      if (kept !== undefined) set(key, kept)
      return kept
    },
    has: (key: string): boolean => young.has(key) || old.has(key),
    set,
    turn,
    /** Entries held now, for tests of the bound. */
    size: (): number => young.size + old.size,
  }
}
