import type { SessionListAnswer, SessionSummary } from "@pkce/protocol"
import type { SessionState } from "./state.js"
import { errorOf, type Wire } from "./wire.js"

/** The user's sessions on all devices. */
export interface Devices {
  /** Newest first. @throws PkceError `invalid_token` where nobody is logged in, `network`, and the backend's codes. */
  list(): Promise<SessionSummary[]>
  /** Ends one session of this user. @throws PkceError `not_found` where there is none of that id. */
  revoke(id: string): Promise<void>
}

/** `wire` sends the session token along, and renews it after a 401. */
export function createDevices(wire: Wire, state: SessionState, logout: () => Promise<void>): Devices {
  async function call(method: "GET" | "DELETE", path: string) {
    const answer = await wire.send({ method, path })
    if (!answer.ok) throw errorOf(answer, "request")
    return answer.body
  }

  return {
    async list() {
      const { sessions } = (await call("GET", "/sessions")) as Partial<SessionListAnswer>
      return sessions ?? []
    },
    async revoke(id) {
      await call("DELETE", `/sessions/${encodeURIComponent(id)}`)
      if (state.current()?.id === id) await logout()
    },
  }
}
