import type { Grant } from "@pkce/protocol"
import type { NextStep, StoredSession } from "./record.js"
import type { Answer } from "./wire.js"

type Granted = Omit<StoredSession, "provider" | "steppedAt">

/** What a grant makes of a session; `null` where the answer is no grant that the line can go on from. */
export function readGrant({ ok, body }: Answer, step: NextStep, askedAt: number): Granted | null {
  const {
    session_id: id,
    refresh_token: refreshToken,
    session_token: value,
    expires_in = 0,
    user_info: user,
  } = body as Partial<Grant>
  if (!ok || !id || !refreshToken) return null
  return {
    id,
    refreshToken,
    verifier: step.verifier,
    ...(user && { user }),
    token: value ? { value, lifetime: expires_in * 1000, askedAt } : undefined,
  }
}
