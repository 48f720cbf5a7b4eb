import type { ChangesPort, ClockPort } from "../platforms/ports.js"
import { type Age, ageSince } from "./clock.js"
import type { ClientSession, Events, PkceClientEvent } from "./events.js"
import type { RecordStore, StoredSession } from "./record.js"

type Reason = Extract<PkceClientEvent, { type: "signed_out" }>["reason"]

export const publicSession = ({ id, provider, user }: StoredSession): ClientSession => ({
  id,
  provider,
  user,
})

/** The session in memory: the record's copy, with ages by both clocks. */
export interface SessionState {
  current(): StoredSession | null
  /** The same as the app may see it. */
  view(): ClientSession | null
  /** Reads the record once, and listens to the other tabs from then on. */
  load(): Promise<StoredSession | null>
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
  let loading: Promise<void> | undefined
  let epoch = 0

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
    if (!next) {
      if (before) events.emit({ type: "signed_out", session: null, reason })
    } else if (before?.id !== next.id) {
      events.emit({ type: "signed_in", session: publicSession(next) })
    } else if (before.refreshToken !== next.refreshToken) {
      events.emit({ type: "refreshed", session: publicSession(next) })
    }
  }

  async function reload() {
    const seen = epoch
    const { session } = await record.read()
    // What this process adopted meanwhile is newer than what was read before it.
    if (seen === epoch) adopt(session)
  }

  async function first() {
    changes?.subscribe(() => void reload().catch(() => {}))
    const { session } = await record.read()
    if (epoch === 0) hold(session)
  }

  return {
    current: () => current,
    view: () => current && publicSession(current),
    adopt,
    async load() {
      loading ??= first().catch((error) => {
        loading = undefined
        throw error
      })
      await loading
      return current
    },
    publish(session, reason) {
      adopt(session, reason)
      changes?.post()
    },
    tokenLeft: () => (current?.token ? current.token.lifetime - tokenAge() : 0),
    sinceStep: () => stepAge(),
  }
}
