import type { Grant } from "@pkce/protocol"
import { equal } from "#crypto"
import { PkceError } from "../../errors.js"
import type { Identity } from "../../provider/types.js"
import { subjectOf } from "../../session/subject.js"
import type { NewSession, SessionRow } from "../../stores/contract.js"
import { dueSeconds, grantContext, profileContext, type SealedTokens } from "../../vault/provider-tokens.js"
import type { Cookies } from "../cookies.js"
import type { Rooms } from "../rooms.js"
import { endedMeanwhile, type LoginAtProvider } from "./backchannel-logout.js"
import { interrupted } from "./code-redemption.js"
import { grantOf, openProfile } from "./grant.js"

/** What is known of the caller beside what it says. */
export interface Caller {
  /** In full; the row gets its network. */
  clientAddress?: string | undefined
  /** Where the cookie of `bind: "cookie"` goes. */
  cookies?: Cookies | undefined
}

/** What a session is opened with, and found again by a repeat of the same request. */
export interface Opening {
  sid: string
  /** The secret that generation 0 of the line is derived with. */
  kid: string
  /** What generation 0 is derived from. Only who made the request knows all three. */
  code: string
  codeVerifier: string
  challenge: string | undefined
  /** `bind: "cookie"`. */
  bound: boolean
  cookies: Cookies | undefined
}

export interface NewOpening extends Opening {
  provider: string
  identity: Identity
  device: object
  /** No row may be created later; seconds of the store's clock. */
  deadline: number
}

/** Seconds after its commit within which a repeat still brings a session token (F5). */
const REPEAT_WINDOW = 30

/** Refused before anything is spent: a caller that cannot get the cookie would have a session that nobody can use. */
export function checkBinding(input: { bind?: "cookie"; session_challenge?: string }, caller: Caller): void {
  if (input.bind === undefined) return
  if (!caller.cookies || input.session_challenge === undefined)
    throw new PkceError("invalid_request", { description: "Missing or malformed: bind." })
  // C12
  caller.cookies.check()
}

/** How a login becomes a session: the last step of the app flow and of the hosted one. */
export function createSessionOpener(rooms: Rooms) {
  const { store, ring, line, vault, config, emit } = rooms

  async function begin({ kid, sid, code, codeVerifier, challenge, bound }: Opening) {
    return challenge === undefined ? null : line.begin({ kid, sid, code, codeVerifier, challenge, bound })
  }

  function bind({ cookies, sid }: Opening, binder: string | null): void {
    if (binder !== null) cookies?.set(sid, binder, config.session.absoluteLifetime)
  }

  /** Creates the session, or finds that it was created by this very request. */
  async function open(opening: NewOpening): Promise<Grant> {
    const { sid, provider, identity, deadline } = opening
    const { issuer: idpIss, subject: idpSub } = identity
    const bound = { sid, idpIss, idpSub, grantRev: 0 }
    const tokens: SealedTokens = { ...identity.tokens, obtained_at: rooms.now() }
    const begun = await begin(opening)
    const { tokenLifetime, idleLifetime, absoluteLifetime } = config.session
    const session: NewSession = {
      sub: await subjectOf(idpIss, idpSub),
      cur: begun?.cur ?? new Uint8Array(),
      history: begun?.history ?? new Uint8Array(256),
      provider,
      idpSid: identity.idpSid,
      device: JSON.stringify(opening.device),
      profile: await vault.seal(identity.profile, profileContext(bound)),
      grant: await vault.seal(tokens, grantContext(bound)),
      // A session that cannot be refreshed ends with its one token.
      idleSeconds: begun ? idleLifetime : tokenLifetime,
      absoluteSeconds: begun ? absoluteLifetime : tokenLifetime,
      grantDueSeconds: begun ? dueSeconds(tokens, rooms.now()) : null,
      notAfter: deadline,
      // Last: a long literal that begins with a spread is made a hundred times as slowly (V8), here and in `grantOf`.
      ...bound,
    }
    const created = await store.create(session)
    if (created.outcome === "late") throw interrupted("created_late")
    // Our own create, whose acknowledgement a driver lost and asked for again.
    if (created.outcome === "exists") return repeat(opening, created.row, created.now)
    const { row, now } = created
    await refuseIfEnded(row, identity)
    emit({ type: "auth.exchange.succeeded", provider, session_id: row.sid, sub: row.sub })
    bind(opening, begun?.binder ?? null)
    const refreshToken = begun?.refreshToken ?? null
    const { profile } = identity
    return grantOf(rooms, { row, now, refreshToken, withSessionToken: true, profile })
  }

  /** I10: a logout that the provider announced while the login was being saved found no row to end. */
  async function refuseIfEnded(row: SessionRow, login: LoginAtProvider): Promise<void> {
    if (!(await endedMeanwhile(rooms, row.provider, login))) return
    await rooms.endSession(row.sid, "backchannel_logout")
    throw new PkceError("login_failed", { reason: "ended_at_provider" })
  }

  /** C3: the same session again, as long as nothing has happened to it since. */
  async function repeat(opening: Opening, row: SessionRow, now: number): Promise<Grant> {
    const over = row.revokedAt !== null || now >= row.absoluteExpiresAt || now >= row.idleExpiresAt
    if (over) throw interrupted("session_moved_on")
    // The process that made the row may have died before it looked.
    await refuseIfEnded(row, { issuer: row.idpIss, subject: row.idpSub, idpSid: row.idpSid, issuedAt: null })
    const age = now - row.createdAt
    const withSessionToken = age >= 0 && age <= REPEAT_WINDOW
    if (opening.challenge === undefined && !withSessionToken) throw interrupted("repeat_too_late")
    if (opening.challenge !== undefined && (await ring.state(opening.kid)) === "retired")
      throw interrupted("kid_retired")
    const begun = await begin(opening)
    // `cur` is of generation 0 no more once the line has taken a step.
    if (begun && !equal(begun.cur, row.cur)) throw interrupted("session_moved_on")
    bind(opening, begun?.binder ?? null)
    const refreshToken = begun?.refreshToken ?? null
    const profile = await openProfile(rooms, row)
    return grantOf(rooms, { row, now, refreshToken, withSessionToken, profile })
  }

  return { open, repeat }
}
