import { toBase64url } from "@pkce/protocol"
import { equal, randomBytes, s256 } from "#crypto"
import { lengthPrefixed } from "../../vault/fields.js"
import type { Rooms } from "../rooms.js"

/** Seconds a process has to redeem a claimed code, on the store's clock. */
const DEADLINE = 20
/** Seconds a claim is remembered: longer than any provider lets a code live (RFC 6749 section 4.1.2 says ten minutes). */
const REMEMBERED = 900
/** Seconds by which our reckoning of the store's clock may be wrong before the claim is written anew. */
const TOLERANCE = 2

/** What the store keeps under the hash of a code. */
export interface ClaimRecord {
  /** Which request claimed it; a hash, so that the store holds no code and no verifier. */
  fingerprint: string
  /** The secret that generation 0 of the line is derived with, so that a repeat derives the same. */
  kid: string
  /** The session that comes of it. Its row is the settlement: there is no second write for a login that succeeds. */
  sid: string
  /** No row may be created later. */
  deadline: number
  state: "open" | "failed" | "interrupted"
}

export interface CodeClaim extends ClaimRecord {
  /** Writes the end of a claim that led to no session. */
  settle(state: "failed" | "interrupted"): Promise<void>
  /** Gives the code back: the provider has not seen it. */
  release(): Promise<void>
}

export type Claimed =
  | { outcome: "ours"; claim: CodeClaim }
  /** The same request came before. */
  | { outcome: "repeat"; record: ClaimRecord; now: number }
  /** Another request claimed this code (C2). */
  | { outcome: "replay" }

/** The parts of an exchange that must agree between a request and its honest repeat. */
export type Identifying = readonly (string | undefined)[]

/**
 * Claims codes: one caller in the whole fleet gets to redeem a code (C4), an identical repeat is told apart from a replay
 * (C2, C3). The key is the hash of the code alone, so that no other field of the request can open it again.
 */
export function createCodeClaims({ store, ring, now }: Pick<Rooms, "store" | "ring" | "now">) {
  // The deadline must be in the value before the store has told its time, so it is reckoned from the last answer of the
  // store. Where that was wrong (the first login of a process whose clock differs), the claim is corrected by one more call.
  let ahead = 0

  return async (code: string, identifying: Identifying): Promise<Claimed> => {
    const key = await s256(code)
    const fingerprint = await fingerprintOf(identifying)
    const reckoned = now() + ahead
    let record: ClaimRecord = {
      fingerprint,
      kid: await ring.active(),
      sid: toBase64url(randomBytes(16)),
      deadline: reckoned + DEADLINE,
      state: "open",
    }
    let value = JSON.stringify(record)
    const result = await store.claim("code", key, value, REMEMBERED)
    ahead = result.now - now()

    if (result.outcome === "taken") {
      const theirs = JSON.parse(result.value) as ClaimRecord
      return same(theirs.fingerprint, fingerprint)
        ? { outcome: "repeat", record: theirs, now: result.now }
        : { outcome: "replay" }
    }
    const replace = async (change: Partial<ClaimRecord>) => {
      const next = { ...record, ...change }
      if (!(await store.settle("code", key, value, JSON.stringify(next)))) return
      record = next
      value = JSON.stringify(next)
    }
    if (Math.abs(result.now - reckoned) > TOLERANCE) await replace({ deadline: result.now + DEADLINE })
    return {
      outcome: "ours",
      claim: {
        ...record,
        settle: (state) => replace({ state }),
        release: async () => void (await store.release("code", key, value)),
      },
    }
  }
}

/** A member that is absent is one that no text can spell. */
const fingerprintOf = async (parts: Identifying): Promise<string> =>
  s256(lengthPrefixed(...parts.flatMap((part) => (part === undefined ? ["0"] : ["1", part]))))

function same(a: string, b: string): boolean {
  const utf8 = new TextEncoder()
  return equal(utf8.encode(a), utf8.encode(b))
}
