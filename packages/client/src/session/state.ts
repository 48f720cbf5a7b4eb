import type { ChangesPort, ClockPort } from "../platforms/ports.js"
import { type Age, ageSince } from "./clock.js"
import type { ClientSession, Events, PkceClientEvent } from "./events.js"
import { joined } from "./joined.js"
import type { RecordStore, StoredSession } from "./record.js"

type Reason = Extract<PkceClientEvent, { type: "signed_out" }>["reason"]

/** The session in memory: the record's copy, with ages by both clocks. */
export interface SessionState {
  current(): StoredSession | null
  /** The same as the app may see it. */
  view(): ClientSession | null
  /** Reads the record unless that was done, or `again`. */
  load(again?: boolean): Promise<StoredSession | null>
  /** Takes over what the record holds. `reason` says why there is no session any more. */
  adopt(session: StoredSession | null, reason?: Reason): void
  /** The same of what this tab has just written: the others are told. */
  publish(session: StoredSession | null, reason?: Reason): void
  /** The session token, or `null` unless it lives longer than so many milliseconds. */
  token(left?: number): string | null
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
  let epoch = 0

  const token = (left = 0) =>
    current?.token && current.token.lifetime - tokenAge() > left ? current.token.value : null

  const view = (): ClientSession | null =>
    current && {
      id: current.id,
      provider: current.provider,
      user: current.user,
      ...(!token() && { stale: true }),
    }

  function adopt(next: StoredSession | null, reason: Reason = "elsewhere") {
    const before = current
    if (next?.token && next.token.value !== before?.token?.value)
      tokenAge = ageSince(clock, next.token.askedAt)
    if (next && next.steppedAt !== before?.steppedAt) stepAge = ageSince(clock, next.steppedAt)
    current = next
    // What was there before the app started is no event.
    if (epoch++ === 0 || before?.refreshToken === next?.refreshToken) return
    const session = view()
    events.emit(
      session
        ? { type: before?.id === session.id ? "refreshed" : "signed_in", session }
        : { type: "signed_out", session, reason },
    )
  }

  async function read(): Promise<void> {
    const seen = epoch
    const { session } = await record.read()
    // What this process adopted meanwhile may be newer than what was read, or older.
    return epoch === seen ? adopt(session) : read()
  }

  // All that ask at the start wait for one reading: each of their own would find the others' and begin again.
  const load = joined(read)

  changes?.subscribe(() => void read().catch(() => {}))

  return {
    current: () => current,
    view,
    async load(again) {
      if (again || epoch === 0) await load()
      return current
    },
    adopt,
    publish(session, reason) {
      adopt(session, reason)
      changes?.post()
    },
    token,
    sinceStep: () => stepAge(),
  }
}
