import { createGenerations } from "./generations.js"
import type { Session } from "./types.js"

const VERIFIED = 5_000
const FORGOTTEN = 50_000

/** Remembers which session tokens were found good, and which sessions this process has ended since. */
export interface VerifiedCache {
  /** `undefined`: not seen before. `now` in seconds. */
  get(digest: string, now: number): Session | null | undefined
  /** What a verified token is worth now: `null` where it has ended, or its session was forgotten. */
  admit(digest: string, session: Session, now: number): Session | null
  forget(sid: string, now: number): void
}

/**
 * Keys are SHA-256 digests of whole tokens, so that the process keeps no token. `lifetime` is the longest a token lives, in
 * seconds: a forgotten session is remembered for at least as long.
 */
export function createVerifiedCache(lifetime: number): VerifiedCache {
  const verified = createGenerations<Session>(VERIFIED)
  const forgotten = createGenerations<true>(FORGOTTEN)
  let turnAt = 0

  function alive(session: Session, now: number): Session | null {
    // F11: a session that was ended here is refused here, also where its token is still fresh.
    return session.expiresAt > now && !forgotten.has(session.id) ? session : null
  }

  return {
    get(digest, now) {
      const session = verified.get(digest)
      return session && alive(session, now)
    },
    admit(digest, session, now) {
      const admitted = alive(session, now)
      if (admitted) verified.set(digest, session)
      return admitted
    },
    forget(sid, now) {
      if (now >= turnAt) {
        if (turnAt > 0) forgotten.turn()
        turnAt = now + lifetime
      }
      forgotten.set(sid, true)
    },
  }
}
