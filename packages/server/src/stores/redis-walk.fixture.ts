import { created } from "../testing/conformance/case.js"
import type { Store } from "./contract.js"

/** The ids of so many new sessions. */
export const crowd = (store: Store, size: number) =>
  Promise.all(Array.from({ length: size }, async () => (await created(store)).sid))

/** The pages of one walk. `between` comes after each but the last, with what goes on. */
export async function walk(store: Store, limit: number, between?: (next: string, page: number) => unknown) {
  const pages: string[][] = []
  for (let from: string | null = null; ; ) {
    const { rows, next } = await store.scan(from, limit)
    pages.push(rows.map(({ sid }) => sid))
    if (next === null) return pages
    await between?.(next, pages.length)
    from = next
  }
}

/** Whom they met, each once. */
export const met = (pages: string[][]) => [...new Set(pages.flat())].sort()
