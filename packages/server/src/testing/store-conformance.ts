import type { Store } from "../stores/contract.js"
import { endCases } from "./conformance/ends.js"
import { grantCases } from "./conformance/grants.js"
import { leaseCases } from "./conformance/leases.js"
import { lineCases } from "./conformance/line.js"
import { onceCases } from "./conformance/once.js"
import { sessionCases } from "./conformance/sessions.js"
import { walkCases } from "./conformance/walks.js"

const CASES = [sessionCases, endCases, lineCases, leaseCases, grantCases, walkCases, onceCases].flat()

/** An empty store for one case. */
export interface ConformanceSubject {
  store: Store
  /** Moves the store's own clock. Cases about expiry are left out where there is none. */
  advanceClock?: (seconds: number) => void
  close?: () => Promise<void>
}

export interface ConformanceCase {
  /** What the store must do. */
  name: string
  /** The case moves the clock; where the subject has no `advanceClock` it checks nothing. */
  needsClock: boolean
  /** Rejects with an `Error` whose message says what the store did instead. */
  run(): Promise<void>
}

/**
 * The conformance kit: what a store must do for a session to be safe on it, as cases for any test runner. Each case opens
 * a store of its own; the stores may share one database as long as the ids in it do not matter (the kit draws fresh ones)
 * and fewer than 10,000 grants are due in it.
 *
 * @param open Makes a store, with `advanceClock` where its clock can be moved.
 * @example
 * ```ts
 * import { test } from "node:test"
 * import { storeConformance } from "@pkce/server/testing"
 *
 * for (const { name, run } of storeConformance(async () => ({ store: myStore() }))) test(name, run)
 * ```
 */
export function storeConformance(open: () => Promise<ConformanceSubject>): ConformanceCase[] {
  return CASES.map(({ name, needsClock = false, check }) => ({
    name,
    needsClock,
    async run() {
      const subject = await open()
      try {
        if (needsClock && !subject.advanceClock) return
        await check(subject.store, subject.advanceClock ?? (() => undefined))
      } finally {
        await subject.close?.()
      }
    },
  }))
}
