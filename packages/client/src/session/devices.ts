import type { SessionListAnswer, SessionSummary } from "@pkce/protocol"
import type { RecordStore } from "./record.js"
import type { SessionState } from "./state.js"
import { type Call, errorOf, type Wire } from "./wire.js"

/** The user's sessions on all devices. */
export interface Devices {
  /** Newest first. @throws PkceError `invalid_token` where nobody is logged in, `network`, and the backend's codes. */
  list(): Promise<SessionSummary[]>
  /** Ends one session of this user. @throws PkceError `not_found` where there is none of that id. */
  revoke(id: string): Promise<void>
}

/** `wire` sends the session token along, and renews it after a 401. */
export function createDevices(wire: Wire, record: RecordStore, state: SessionState): Devices {
  async function ask(call: Call) {
    const answer = await wire.send(call)
    if (!answer.ok) throw errorOf(answer, "request")
    return answer.body
  }

  return {
    async list() {
      const { sessions } = (await ask({ method: "GET", path: "/sessions" })) as Partial<SessionListAnswer>
      return sessions ?? []
    },
    async revoke(id) {
      await ask({ method: "DELETE", path: `/sessions/${encodeURIComponent(id)}` })
      // This device's own, unless a login has replaced it meanwhile.
      if (state.current()?.id === id)
        state.publish(
          await record.update((stored) => {
            if (stored.session?.id === id) stored.session = null
            return stored.session
          }),
          "logout",
        )
    },
  }
}
