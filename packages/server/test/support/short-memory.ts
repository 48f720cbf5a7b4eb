import type { SessionRow, Store } from "../../src/stores/contract.js"

const RING = 32

/**
 * A store whose ring reaches back `reach` generations: the negative control of the history. With 0 every repeat is taken
 * for reuse, as in strict rotation; with 2 the last step is all that it recognises.
 */
export function shortMemory(store: Store, reach: number): Store {
  function forget(row: SessionRow): SessionRow {
    const history = new Uint8Array(row.history)
    for (let slot = 0; slot < RING; slot++) {
      const generation = row.gen - ((row.gen - slot + RING * 1000) % RING)
      if (row.gen - generation >= reach) history.set([0x80, 0, 0, 0, 0, 0, 0, 0], slot * 8)
    }
    return { ...row, history }
  }
  return {
    ...store,
    async advance(step) {
      const result = await store.advance(step)
      return result.outcome === "missing" ? result : { ...result, row: forget(result.row) }
    },
  }
}
