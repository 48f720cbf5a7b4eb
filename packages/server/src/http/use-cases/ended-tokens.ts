import { s256 } from "#crypto"
import type { Session } from "../../session/types.js"

const MAX_TOKENS = 1000

/**
 * Session tokens that have just logged out. This process refuses them everywhere else from that moment on; the logout
 * itself must still know them, because an app whose answer was lost asks again and must hear the same.
 */
export function createEndedTokens(now: () => number) {
  const sessions = new Map<string, Session>()
  return {
    async find(token: string): Promise<Session | null> {
      const session = sessions.get(await s256(token))
      return session && now() < session.expiresAt ? session : null
    },
    async add(token: string, session: Session): Promise<void> {
      sessions.set(await s256(token), session)
      const [oldest] = sessions.keys()
      if (sessions.size > MAX_TOKENS && oldest !== undefined) sessions.delete(oldest)
    },
  }
}
