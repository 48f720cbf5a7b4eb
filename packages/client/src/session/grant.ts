import type { Grant } from "@pkce/protocol"
import type { NextStep, StoredSession } from "./record.js"
import type { Answer } from "./wire.js"

type Granted = Omit<StoredSession, "provider" | "steppedAt">

/** What a grant makes of a session; `null` where the answer is no grant that the line can go on from. */
export function readGrant({ ok, body }: Answer, step: NextStep, askedAt: number): Granted | null {
  const grant = body as Partial<Grant>
  if (!ok || !grant.session_id || !grant.refresh_token) return null
  const { session_token: value, expires_in = 0, user_info: user } = grant
  return {
    id: grant.session_id,
    refreshToken: grant.refresh_token,
    verifier: step.verifier,
    ...(user && { user }),
    token: value ? { value, lifetime: expires_in * 1000, askedAt } : undefined,
  }
}
