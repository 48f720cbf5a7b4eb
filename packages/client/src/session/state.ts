import type { ChangesPort, ClockPort } from "../platforms/ports.js"
import { type Age, ageSince } from "./clock.js"
import type { ClientSession, Events, PkceClientEvent } from "./events.js"
import type { RecordStore, StoredSession } from "./record.js"

type Reason = Extract<PkceClientEvent, { type: "signed_out" }>["reason"]

/** The session in memory: the record's copy, with ages by both clocks. */
export interface SessionState {
  current(): StoredSession | null
  /** The same as the app may see it. */
  view(): ClientSession | null
  /** Reads the record unless that was done, or `again`; listens to the other tabs from then on. */
  load(again?: boolean): Promise<StoredSession | null>
  /** Takes over what the record now holds. `reason` says why there is no session any more. */
  adopt(session: StoredSession | null, reason?: Reason): void
  /** Like `adopt`, and tells the other tabs. */
  publish(session: StoredSession | null, reason?: Reason): void
  /** Milliseconds that the session token still lives. */
  tokenLeft(): number
  /** Milliseconds since the last generation was begun. */
  sinceStep(): number
}

export function createSessionState(
  record: RecordStore,
  clock: ClockPort,
  events: Events,
  changes?: ChangesPort,
): SessionState {
  let current: StoredSession | null = null
  let tokenAge: Age = () => 0
  let stepAge = tokenAge
  let isListening = false
  let epoch = 0

  const tokenLeft = () => (current?.token ? current.token.lifetime - tokenAge() : 0)

  function view(): ClientSession | null {
    if (!current) return null
    const { id, provider, user } = current
    return { id, provider, user, ...(tokenLeft() <= 0 && { stale: true }) }
  }

  function hold(next: StoredSession | null) {
    epoch++
    if (next?.token && next.token.value !== current?.token?.value)
      tokenAge = ageSince(clock, next.token.askedAt)
    if (next && next.steppedAt !== current?.steppedAt) stepAge = ageSince(clock, next.steppedAt)
    current = next
  }

  function adopt(next: StoredSession | null, reason: Reason = "elsewhere") {
    const before = current
    hold(next)
    const session = view()
    if (!session) {
      if (before) events.emit({ type: "signed_out", session: null, reason })
    } else if (before?.id !== session.id) {
      events.emit({ type: "signed_in", session })
    } else if (before.refreshToken !== next?.refreshToken) {
      events.emit({ type: "refreshed", session })
    }
  }

  async function read(): Promise<void> {
    const seen = epoch
    const { session } = await record.read()
    // What this process adopted meanwhile may be newer than what was read, or older.
    if (seen !== epoch) await read()
    // What was there before the app started is no event.
    else if (epoch === 0) hold(session)
    else adopt(session)
  }

  return {
    current: () => current,
    view,
    adopt,
    async load(again = false) {
      // Once, however often the storage fails.
      if (!isListening) changes?.subscribe(() => void read().catch(() => {}))
      isListening = true
      if (again || epoch === 0) await read()
      return current
    },
    publish(session, reason) {
      adopt(session, reason)
      changes?.post()
    },
    tokenLeft,
    sinceStep: () => stepAge(),
  }
}
