import type { StoragePort } from "./ports.js"

const STORE = "record"
const KEY = 0

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })

/** The record in IndexedDB: one read-write transaction per update, which also keeps the other tabs out meanwhile. */
export function indexedDbStorage(name: string): StoragePort {
  // A connection of its own for each: none that the browser may have closed, and none in the way of clearing site data.
  async function update(change: (current: string | null) => string | null | undefined): Promise<void> {
    const request = indexedDB.open(name, 1)
    request.onupgradeneeded = () => request.result.createObjectStore(STORE)
    const database = await settled(request)
    try {
      // R7: complete only once it is on the disk, not merely handed to the system.
      const transaction = database.transaction(STORE, "readwrite", { durability: "strict" })
      const complete = new Promise((resolve, reject) => {
        transaction.oncomplete = resolve
        transaction.onabort = () => reject(transaction.error)
      })
      const store = transaction.objectStore(STORE)
      const changed = settled<string | undefined>(store.get(KEY)).then((current) => {
        const next = change(current ?? null)
        if (next === null) store.delete(KEY)
        else if (next !== undefined) store.put(next, KEY)
      })
      // Together: a read that fails takes the transaction along, and neither may be left unheard.
      await Promise.all([changed, complete])
    } finally {
      database.close()
    }
  }

  return {
    async read() {
      let text: string | null = null
      await update((current) => {
        text = current
        return undefined
      })
      return text
    },
    update,
  }
}
