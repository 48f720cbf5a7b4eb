import { PkceError } from "../errors.js"
import type { Store } from "../stores/contract.js"
import { ATTRIBUTES, SPANS } from "./names.js"
import type { Ending, Observer, Settled } from "./observe.js"

type Operation = (...args: unknown[]) => Promise<unknown>

/**
 * The same store with a span around each operation. By name, not by a list: an operation that the contract gains is observed
 * too. No argument and no row is looked at but for `outcome`.
 */
export function observedStore(store: Store, { observe }: Observer): Store {
  const observed =
    (operation: string, run: Operation): Operation =>
    (...args) =>
      observe(
        {
          span: `${SPANS.store} ${operation}`,
          kind: 0,
          attributes: { [ATTRIBUTES.storeKind]: store.kind, [ATTRIBUTES.storeOperation]: operation },
          duration: "pkce.store.duration",
          end,
        },
        () => run(...args),
      )
  return Object.fromEntries(
    Object.entries(store).map(([name, member]) => [
      name,
      typeof member === "function" ? observed(name, member as Operation) : member,
    ]),
  ) as unknown as Store
}

function end(settled: Settled<unknown>): Ending {
  if ("thrown" in settled) {
    const { thrown } = settled
    const code = thrown instanceof PkceError ? thrown.code : "internal"
    return {
      attributes: { [ATTRIBUTES.outcome]: code },
      ...(thrown instanceof PkceError && { details: { [ATTRIBUTES.errorId]: thrown.errorId } }),
      error: code,
    }
  }
  return { attributes: { [ATTRIBUTES.outcome]: outcomeOf(settled.value) } }
}

/** `created`, `advanced`, `refused`, ...; of an operation that has no outcomes, `ok`. */
function outcomeOf(value: unknown): string {
  const outcome = typeof value === "object" && value !== null && "outcome" in value ? value.outcome : "ok"
  return typeof outcome === "string" ? outcome : "ok"
}
