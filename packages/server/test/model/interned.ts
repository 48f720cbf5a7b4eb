/** Gives equal values one small number, so that a state of the model is a few numbers and can be compared as text. */
export function createInterned<T>(keyOf: (value: T) => string) {
  const ids = new Map<string, number>()
  const values: T[] = []
  return {
    values,
    id(value: T): number {
      const key = keyOf(value)
      const known = ids.get(key)
      if (known !== undefined) return known
      ids.set(key, values.length)
      return values.push(value) - 1
    },
    of(id: number): T {
      const value = values[id]
      if (value === undefined) throw new Error(`nothing has the number ${id}`)
      return value
    },
  }
}
