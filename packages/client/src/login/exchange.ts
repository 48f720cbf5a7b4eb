import { PkceError } from "../errors.js"
import type { ClientSession } from "../session/events.js"
import { readGrant } from "../session/grant.js"
import { closeLogin, type RecordStore, type StoredLogin, type StoredSession } from "../session/record.js"
import { type Repeating, repeat } from "../session/repeat.js"
import type { SessionState } from "../session/state.js"
import { errorOf, isFinal } from "../session/wire.js"
import type { LoginFlow } from "./flow.js"

export interface ExchangeDeps extends Repeating {
  flow: LoginFlow
  record: RecordStore
  state: SessionState
  /** Ends a session at the backend if it can be reached. */
  abandon(session: Pick<StoredSession, "refreshToken" | "verifier">): Promise<void>
}

/** A login that came to its end. */
export interface SignedIn {
  status: "signed_in"
  session: ClientSession
  /** What `login` was given as `appState`. */
  appState?: string | undefined
}

/** Turns taken logins into sessions. */
export function createExchange(deps: ExchangeDeps): (login: StoredLogin) => Promise<SignedIn> {
  const { record, state, clock } = deps
  const running = new Map<string, Promise<SignedIn>>()

  async function exchange(login: StoredLogin): Promise<SignedIn> {
    const askedAt = clock.wall()
    const answer = await (deps.flow.repeat ?? repeat)(
      deps,
      // B3, C3: every repeat, also after a crash, is the same request.
      { method: "POST", path: login.path, body: login.request },
      (a) => readGrant(a, login.step, askedAt) || isFinal(a),
      login.state,
    )
    const grant = readGrant(answer, login.step, askedAt)
    if (!grant) {
      // Otherwise the login stays in the record: `restore()`, or the callback's second delivery, goes on with it.
      if (isFinal(answer)) {
        await record.update((stored) => closeLogin(stored, login.state))
      }
      throw errorOf(answer, "exchange")
    }

    let previous = null as StoredSession | null
    let latest = previous
    await record.update((stored) => {
      previous = latest = stored.session
      // The user has logged out since, or another tab was faster: a grant that comes late never replaces what the line has
      // made of its session.
      if (!stored.logins.some((waiting) => waiting.state === login.state)) return
      closeLogin(stored, login.state, login.redeemedAt)
      latest = stored.session = {
        ...grant,
        provider: login.provider,
        steppedAt: login.redeemedAt as number,
      }
    })
    if (latest?.id !== grant.id) {
      void deps.abandon(grant)
      throw new PkceError("callback_used", "exchange")
    }
    state.publish(latest)
    // C14: the session that was here before ends, now that the new one is durable.
    if (previous && previous.id !== latest.id) void deps.abandon(previous)
    return { status: "signed_in", session: state.view() as ClientSession, appState: login.appState }
  }

  return (login) => {
    const { state: key } = login
    const run = running.get(key) ?? exchange(login).finally(() => running.delete(key))
    running.set(key, run)
    return run
  }
}
