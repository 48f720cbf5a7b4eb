import { guardStore } from "../http/guarded-store.js"
import type { OpenStore } from "./open-store.js"

/** Whether the store answers, within the deadline of its calls: less than two seconds. Many ask, one look answers them. */
export function createReadiness({
  store,
  prepared,
}: Pick<OpenStore, "store" | "prepared">): () => Promise<boolean> {
  const { peek } = guardStore(store, () => undefined)
  let look: Promise<boolean> | null = null
  return () => {
    look ??= peek("ticket", "readyz")
      .then(prepared, () => false)
      .finally(() => {
        look = null
      })
    return look
  }
}
