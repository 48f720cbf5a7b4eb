import { isTerminal } from "@pkce/protocol"
import { PkceError } from "../errors.js"
import { createPkcePair } from "../pkce/pair.js"
import type { Platform } from "../platforms/ports.js"
import { pause } from "./clock.js"
import type { ClientSession, Events } from "./events.js"
import { readGrant } from "./grant.js"
import { joined } from "./joined.js"
import { credentialsOf, type NextStep, type RecordStore, type StoredSession } from "./record.js"
import { type Repeating, repeat } from "./repeat.js"
import type { SessionState } from "./state.js"
import { type Answer, errorOf, isFinal } from "./wire.js"

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
  token(minTtl?: number): Promise<string | null>
  /** One step if the spacing allows it; else the present token. Joined while one is under way. */
  advance(): Promise<string | null>
  /** The session token if it is still valid. */
  present(): string | null
}

const endsSession = (answer: Answer) => answer.status === 401 && isTerminal(answer.code)

export function createLine(deps: LineDeps): Line {
  const { record, state, events, clock, crypto } = deps
  let stalledAt: string | undefined
  let quietUntil = 0

  const present = () => (state.tokenLeft() > 0 && state.current()?.token?.value) || null

  /** The session with a step to send, or as it is where no new step may begin yet. */
  async function prepare(): Promise<StoredSession | null> {
    const pending = await createPkcePair(crypto)
    const mine = state.current()
    const early = state.sinceStep() < SPACING
    let session: StoredSession | null = null
    // F3: all tabs and processes share the one step that is drawn here. R7: it is durable before it is sent.
    await record.update((stored) => {
      session = stored.session
      // Another tab was faster, and its token may do; or the last generation is too young.
      if (!session || session.pending || early || session.refreshToken !== mine?.refreshToken) return
      session = stored.session = { ...session, pending, steppedAt: clock.wall() }
    })
    state.adopt(session)
    return session
  }

  /** Sends the step until its outcome is known. */
  async function send(session: StoredSession, step: NextStep): Promise<void> {
    const askedAt = clock.wall()
    const body = { ...credentialsOf(session), session_challenge: step.challenge }
    const grantOf = (answer: Answer) => {
      const grant = readGrant(answer, step, askedAt)
      return grant?.id === session.id ? grant : null
    }
    // Logged out, or another tab has the answer: then nothing is asked any more.
    const moved = () => state.current()?.refreshToken !== session.refreshToken
    const answer = await repeat(
      deps,
      { method: "POST", path: "/refresh", body },
      (a) => grantOf(a) !== null || endsSession(a) || isFinal(a) || moved(),
    )
    const grant = grantOf(answer)
    if (grant || endsSession(answer)) {
      let latest: StoredSession | null = null
      await record.update((stored) => {
        latest = stored.session
        // GR4: an answer counts only for the token that it was asked with; a late one changes nothing.
        if (latest?.refreshToken !== session.refreshToken) return
        latest = stored.session = grant && { ...latest, pending: undefined, ...grant }
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
      const session = await prepare()
      if (!session) return null
      if (session.refreshToken === stalledAt) throw new PkceError("stalled", "refresh")
      if (session.pending) {
        const quiet = quietUntil - clock.monotonic()
        if (quiet > 0) throw new PkceError("network", "refresh", { retryAfter: Math.ceil(quiet / 1000) })
        await send(session, session.pending)
        if (!state.current()) return null
      }
      // A repeat that came late brings no token; the next step does, as soon as the spacing allows.
      const token = present()
      if (token) return token
      await pause(clock, Math.max(0, SPACING - state.sinceStep()))
    }
    throw new PkceError("network", "refresh")
  }

  const advance = joined(async () => {
    // No turn to be had is no hindrance: what two send at once is the same.
    const end = await deps.platform.lock?.().catch(() => undefined)
    try {
      return await run()
    } finally {
      end?.()
    }
  })

  return {
    advance,
    present,
    async token(minTtl) {
      if (!(await state.load())) return null
      // Asked for once: a token that ends between two looks is no sign that nobody is logged in.
      const token = present()
      if (token && state.tokenLeft() > (minTtl ?? FRESH) * 1000) return token
      if (token && minTtl === undefined) {
        // A token that is still valid is never waited for; what hinders its renewal shows when it has ended.
        advance().catch(() => {})
        return token
      }
      try {
        return await advance()
      } catch (error) {
        const token = present()
        if (token) return token
        throw error
      }
    },
  }
}
