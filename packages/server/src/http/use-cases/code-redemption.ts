import { PkceError, ProviderError } from "../../errors.js"
import type { Rooms } from "../rooms.js"
import { type ClaimRecord, type CodeClaim, createCodeClaims, type Identifying } from "./code-claim.js"

/** Milliseconds between looks at a claim that another request holds; together they are a little over ten seconds. */
const PAUSES = [50, 100, 200, 400, 800, 1000, 1500, 2000, 2000, 2000]

const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

export const interrupted = (reason: string) => new PkceError("exchange_interrupted", { reason })

export interface Redeeming<T> {
  code: string
  /** What an honest repeat has in common with the first request, the code included. */
  identifying: Identifying
  /** Presents the code to the provider. Called by one caller in the whole fleet. */
  redeem: (claim: CodeClaim) => Promise<T>
  /** What came of the first request, or the store's time, which was `now` a moment ago, where nothing has yet. */
  find: (record: ClaimRecord, now: number) => Promise<{ result: T } | { now: number }>
}

/** Presents a code to the provider once in the whole fleet (C4); an identical request gets what came of the first (C2, C3). */
export function createCodeRedemption(rooms: Rooms, pause: (milliseconds: number) => Promise<void> = sleep) {
  const claimCode = createCodeClaims(rooms)

  return async <T>({ code, identifying, redeem, find }: Redeeming<T>): Promise<T> => {
    // What cannot be sealed must not be fetched: the code would be spent for nothing.
    await rooms.vault.ready()
    for (const milliseconds of [...PAUSES, null]) {
      const claimed = await claimCode(code, identifying)
      if (claimed.outcome === "replay") throw new PkceError("login_failed", { reason: "code_replay" })
      if (claimed.outcome === "ours") return redeem(claimed.claim)
      const { record, now } = claimed
      if (record.state === "failed") throw new PkceError("login_failed", { reason: "failed_before" })
      if (record.state === "interrupted") throw interrupted("interrupted_before")
      const found = await find(record, now)
      if ("result" in found) return found.result
      // Nothing is stored from here on, so this answer can never be overtaken.
      if (found.now > record.deadline) throw interrupted("deadline_passed")
      // C4: another process is at it, or died at it; the claim's deadline tells which.
      if (milliseconds !== null) await pause(milliseconds)
    }
    throw new PkceError("exchange_in_progress", { retryAfter: 1 })
  }
}

/** Ends the claim as the failure at the provider demands, and says what to throw. A store that fails here has told so already. */
export async function afterFailure(claim: CodeClaim, thrown: unknown): Promise<unknown> {
  const quietly = (work: Promise<void>) => work.catch(() => undefined)
  if (thrown instanceof PkceError && thrown.code === "login_failed") {
    await quietly(claim.settle("failed"))
    return thrown
  }
  if (thrown instanceof ProviderError && !thrown.spent) {
    await quietly(claim.release())
    return thrown
  }
  // The provider may have seen the code: a second look at it could make it end what the first one gave (C2).
  await quietly(claim.settle("interrupted"))
  return thrown instanceof PkceError ? interrupted(thrown.reason ?? thrown.code) : thrown
}
