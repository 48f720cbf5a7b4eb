/** What the web platform uses of IndexedDB, in memory: one store, whole transactions, and callbacks that come later. */
export function memoryIndexedDb() {
  const databases = new Map<string, Map<unknown, unknown>>()

  function request<T>(work: () => T) {
    const made = { result: undefined as T | undefined, onsuccess: () => {}, onerror: () => {} }
    setTimeout(() => {
      made.result = work()
      made.onsuccess()
    })
    return made
  }

  function transaction(records: Map<unknown, unknown>) {
    const made = { oncomplete: () => {}, onabort: () => {}, error: null }
    const changes: (() => void)[] = []
    const store = {
      get: (key: unknown) =>
        request(() => {
          // A transaction with nothing left to do is complete, and only then is any of it there.
          setTimeout(() => {
            for (const change of changes) change()
            made.oncomplete()
          })
          return records.get(key)
        }),
      put: (value: unknown, key: unknown) => void changes.push(() => records.set(key, value)),
      delete: (key: unknown) => void changes.push(() => records.delete(key)),
    }
    return Object.assign(made, { objectStore: () => store })
  }

  return {
    open(name: string) {
      const records = databases.get(name) ?? new Map()
      databases.set(name, records)
      return request(() => ({ transaction: () => transaction(records), close() {} }))
    },
  }
}
