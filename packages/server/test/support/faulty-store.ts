import type { Store } from "../../src/stores/contract.js"

/**
 * How one call of the store goes wrong: before it did anything, after it did it (its answer is lost), or without an end.
 */
export type Fault = "before" | "after" | "never"

/** A store whose n-th call from `arm` on goes wrong. */
export function faultyStore(inner: Store) {
  let left = Number.POSITIVE_INFINITY
  let kind: Fault = "before"
  let calls = 0
  let hanging = false
  const store = new Proxy(inner, {
    get(target, name: keyof Store) {
      const member = target[name]
      if (typeof member !== "function") return member
      return async (...args: unknown[]) => {
        calls++
        if (--left !== 0) return Reflect.apply(member, target, args)
        if (kind === "after") await Reflect.apply(member, target, args)
        if (kind !== "never") throw new Error("CANARY the store is gone")
        hanging = true
        return new Promise(() => undefined)
      }
    },
  })
  return {
    store,
    arm(n: number, fault: Fault) {
      left = n
      kind = fault
      calls = 0
      hanging = false
    },
    calls: () => calls,
    isHanging: () => hanging,
  }
}
