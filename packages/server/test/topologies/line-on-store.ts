import { vi } from "vitest"
import type { Step } from "../../src/session/types.js"
import type { Store } from "../../src/stores/contract.js"
import { created } from "../../src/testing/conformance/case.js"
import type { createRig, Holder } from "../support/line.js"

/** What no test here can wait longer for, however slow the machine is. */
export const PATIENCE = { timeout: 30_000, interval: 20 }

/** What an honest client does: it repeats the same request until it is answered with something else than 503. */
export const persisted = (rig: ReturnType<typeof createRig>, holder: Holder): Promise<Step> =>
  vi.waitFor(() => rig.refresh(holder), PATIENCE)

/** Returns once `listener` hears of what `store` ends. It must have a listener that stays. */
export async function hearing(listener: Store, store: Store): Promise<void> {
  let heard = false
  const stop = listener.onRevoked?.(() => {
    heard = true
  })
  await vi.waitFor(async () => {
    await store.revoke((await created(store)).sid, "logout")
    if (!heard) throw new Error("nothing is heard yet")
  }, PATIENCE)
  stop?.()
}
