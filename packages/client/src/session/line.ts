import { isTerminal } from "@pkce/protocol"
import { PkceError } from "../errors.js"
import { drawPair } from "../pkce/pair.js"
import type { Platform } from "../platforms/ports.js"
import { pause } from "./clock.js"
import type { ClientSession, Events } from "./events.js"
import { readGrant } from "./grant.js"
import { joined } from "./joined.js"
import { credentialsOf, type RecordStore } from "./record.js"
import { type Repeating, repeat } from "./repeat.js"
import type { SessionState } from "./state.js"
import { type Answer, errorOf, isFinal, unknown } from "./wire.js"

/** Milliseconds between two generations. The backend knows the last 32: a message may come five minutes late. */
const SPACING = 10_000
/** Seconds of life that a session token is wished to have. */
const FRESH = 30
/** A wait for the spacing, a late repeat, and the step that brings the token. */
const ROUNDS = 3

export interface LineDeps extends Repeating {
  platform: Platform
  record: RecordStore
  state: SessionState
  events: Events
}

/** The client's side of the session line: how a session token is renewed. */
export interface Line {
  /** A session token, or `null` where nobody is logged in. `minTtl` in seconds. */
  getSessionToken(options?: { minTtl?: number }): Promise<string | null>
  /** One step if the spacing allows it; else the present token. Joined while one is under way. */
  refresh(): Promise<string | null>
}

export function createLine(deps: LineDeps): Line {
  const { record, state, events, clock, crypto } = deps
  let stalledAt: string | undefined
  let quietUntil = 0

  /**
   * One whole step: drawn, or found as it was drawn before; sent until its outcome is known; stored. None where it is too early
   * for one, or nobody is logged in.
   */
  async function step(): Promise<void> {
    const drawn = await drawPair(crypto)
    // F3: all tabs and processes share the one step that is drawn here. R7: it is durable before it is sent.
    const session = await record.update((stored) => {
      const { session } = stored
      // Otherwise another tab was faster, and its token may do; or the last generation is too young.
      const isMine = session?.refreshToken === state.current()?.refreshToken
      if (session && isMine && !session.pending && state.sinceStep() >= SPACING)
        stored.session = { ...session, pending: drawn, steppedAt: clock.wall() }
      return stored.session
    })
    state.adopt(session)
    const pending = session?.pending
    if (!pending) return
    if (session.refreshToken === stalledAt) throw new PkceError("stalled", "refresh")
    const quiet = quietUntil - clock.monotonic()
    if (quiet > 0) throw errorOf(unknown(quiet), "refresh")
    const askedAt = clock.wall()
    const grantOf = (answer: Answer) => {
      const grant = readGrant(answer, pending, askedAt)
      return grant?.id === session.id ? grant : null
    }
    // Logged out, or another tab has the answer: then nothing is asked any more.
    const moved = () => state.current()?.refreshToken !== session.refreshToken
    const answer = await repeat(
      deps,
      {
        method: "POST",
        path: "/refresh",
        body: { ...credentialsOf(session), session_challenge: pending.challenge },
      },
      (a) => grantOf(a) || isFinal(a) || moved(),
    )
    const grant = grantOf(answer)
    if (grant || (answer.status === 401 && isTerminal(answer.code))) {
      const latest = await record.update((stored) => {
        // GR4: an answer counts only for the token that it was asked with; a late one changes nothing.
        if (stored.session?.refreshToken === session.refreshToken)
          stored.session = grant && { ...session, pending: undefined, ...grant }
        return stored.session
      })
      return state.publish(latest, answer.code)
    }
    if (moved()) return
    if (isFinal(answer)) {
      stalledAt = session.refreshToken
      const error = new PkceError("stalled", "refresh", { errorId: answer.errorId })
      events.emit({ type: "stalled", session: state.view() as ClientSession, error })
      throw error
    }
    quietUntil = clock.monotonic() + answer.wait
    throw errorOf(answer, "refresh")
  }

  async function run(): Promise<string | null> {
    await state.load()
    for (let round = 0; round < ROUNDS; round++) {
      await step()
      // A repeat that came late brings no token; the next step does, as soon as the spacing allows.
      const token = state.token()
      if (token || !state.current()) return token
      await pause(clock, Math.max(0, SPACING - state.sinceStep()))
    }
    throw errorOf(unknown(), "refresh")
  }

  const refresh = joined(async () => {
    // No turn to be had is no hindrance: what two send at once is the same.
    const end = await deps.platform.lock?.().catch(() => undefined)
    try {
      return await run()
    } finally {
      end?.()
    }
  })

  return {
    refresh,
    async getSessionToken({ minTtl } = {}) {
      if (!(await state.load())) return null
      // Asked for once: a token that ends between two looks is no sign that nobody is logged in.
      const token = state.token()
      if (token && state.token((minTtl ?? FRESH) * 1000)) return token
      const renewed = refresh()
      if (token && minTtl === undefined) {
        // A token that is still valid is never waited for; what hinders its renewal shows when it has ended.
        renewed.catch(() => {})
        return token
      }
      return renewed.catch((error) => state.token() ?? Promise.reject(error))
    },
  }
}
