import type { Grant } from "@pkce/protocol"
import { equal } from "#crypto"
import { PkceError, ProviderError } from "../../errors.js"
import type { Identity, Provider } from "../../provider/types.js"
import { subjectOf } from "../../session/subject.js"
import type { NewSession, SessionRow } from "../../stores/contract.js"
import { dueSeconds, grantContext, profileContext, type SealedTokens } from "../../vault/provider-tokens.js"
import { networkOf } from "../address.js"
import type { Rooms } from "../rooms.js"
import type { exchangeRequest, Parsed } from "../schemas.js"
import { endedMeanwhile, type LoginAtProvider } from "./backchannel-logout.js"
import { type CodeClaim, createCodeClaims, type Identifying } from "./code-claim.js"
import { grantOf, openProfile } from "./grant.js"

export type Exchange = Parsed<typeof exchangeRequest>

/** What is known of the caller beside what it says. */
export interface Caller {
  /** In full; the row gets its network. */
  clientAddress?: string | undefined
}

/** The request with where it came from, which no client can claim: `exchangeRequest` knows no `ip`. */
type Login = Omit<Exchange, "device"> & { device?: Exchange["device"] & { ip?: string } }

/** Milliseconds between looks at a claim that another request holds; together they are a little over ten seconds. */
const PAUSES = [50, 100, 200, 400, 800, 1000, 1500, 2000, 2000, 2000]
/** Seconds after its commit within which a repeat still brings a session token (F5). */
const REPEAT_WINDOW = 30

const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))
const interrupted = (reason: string) => new PkceError("exchange_interrupted", { reason })

/**
 * Redeems an authorization code for a session of our own (RFC 6749 section 4.1.3, RFC 7636 section 4.5). One call of the
 * provider and two of the store; an identical repeat gets the identical session, whatever was lost on the way.
 */
export function createExchange(rooms: Rooms, pause: (milliseconds: number) => Promise<void> = sleep) {
  const { providers, store, ring, line, vault, config, emit } = rooms
  const claimCode = createCodeClaims(rooms)

  return async (request: Exchange, { clientAddress }: Caller = {}): Promise<Grant> => {
    const ip = networkOf(clientAddress)
    const input: Login = ip === null ? request : { ...request, device: { ...request.device, ip } }
    const provider = chooseProvider(providers, input.provider)
    // C5: before anything else, so that a code sent from a foreign place never reaches the provider.
    if (!provider.allowsRedirectUri(input.redirect_uri)) throw new PkceError("redirect_uri_not_allowed")
    // C7
    if (input.nonce === undefined && !provider.nonceOptional)
      throw new PkceError("invalid_request", { description: "Missing or malformed: nonce." })
    try {
      // B5, on our side of the wire too: a code of another issuer must not be spent here.
      await provider.checkCallbackIssuer(input.iss)
      return await attempt(provider, input)
    } catch (error) {
      if (error instanceof PkceError && error.code === "login_failed")
        await tellFailure(provider, input, error)
      throw error
    }
  }

  async function attempt(provider: Provider, input: Login): Promise<Grant> {
    const identifying: Identifying = [
      provider.id,
      input.code,
      input.code_verifier,
      input.redirect_uri,
      input.nonce,
      input.iss,
      input.session_challenge,
    ]
    // What cannot be sealed must not be fetched: the code would be spent for nothing.
    await vault.ready()
    for (const milliseconds of [...PAUSES, null]) {
      const claimed = await claimCode(input.code, identifying)
      if (claimed.outcome === "replay") throw new PkceError("login_failed", { reason: "code_replay" })
      if (claimed.outcome === "ours") return redeem(provider, input, claimed.claim)
      const { record } = claimed
      if (record.state === "failed") throw new PkceError("login_failed", { reason: "failed_before" })
      if (record.state === "interrupted") throw interrupted("interrupted_before")
      const { row, now } = await store.find(record.sid)
      if (row) return repeat(input, record.kid, row, now)
      // The store refuses the row from here on, so this answer can never be overtaken by a session.
      if (now > record.deadline) throw interrupted("deadline_passed")
      // C4: another process is at it, or died at it; the claim's deadline tells which.
      if (milliseconds !== null) await pause(milliseconds)
    }
    throw new PkceError("exchange_in_progress", { retryAfter: 1 })
  }

  async function redeem(provider: Provider, input: Login, claim: CodeClaim): Promise<Grant> {
    const identity = await provider
      .redeem({
        code: input.code,
        codeVerifier: input.code_verifier,
        redirectUri: input.redirect_uri,
        ...(input.nonce !== undefined && { nonce: input.nonce }),
      })
      .catch(async (thrown: unknown) => {
        throw await afterFailure(claim, thrown)
      })
    const session = await newSession(provider, input, claim, identity)
    const created = await store.create(session.row)
    if (created.outcome === "late") throw interrupted("created_late")
    // Our own create, whose acknowledgement a driver lost and asked for again.
    if (created.outcome === "exists") return repeat(input, claim.kid, created.row, created.now)
    const { row, now } = created
    await refuseIfEnded(row, identity)
    emit({ type: "auth.exchange.succeeded", provider: provider.id, session_id: row.sid, sub: row.sub })
    const { profile } = identity
    return grantOf(rooms, { row, now, refreshToken: session.refreshToken, withSessionToken: true, profile })
  }

  async function newSession(provider: Provider, input: Login, claim: CodeClaim, identity: Identity) {
    const { sid, kid } = claim
    const { issuer: idpIss, subject: idpSub } = identity
    const bound = { sid, idpIss, idpSub, grantRev: 0 }
    const tokens: SealedTokens = { ...identity.tokens, obtained_at: rooms.now() }
    const challenge = input.session_challenge
    const begun =
      challenge === undefined
        ? null
        : await line.begin({ kid, sid, code: input.code, codeVerifier: input.code_verifier, challenge })
    const { tokenLifetime, idleLifetime, absoluteLifetime } = config.session
    const row: NewSession = {
      ...bound,
      sub: await subjectOf(idpIss, idpSub),
      cur: begun?.cur ?? new Uint8Array(),
      history: begun?.history ?? new Uint8Array(256),
      provider: provider.id,
      idpSid: identity.idpSid,
      device: JSON.stringify(input.device ?? {}),
      profile: await vault.seal(identity.profile, profileContext(bound)),
      grant: await vault.seal(tokens, grantContext(bound)),
      // A session that cannot be refreshed ends with its one token.
      idleSeconds: begun ? idleLifetime : tokenLifetime,
      absoluteSeconds: begun ? absoluteLifetime : tokenLifetime,
      grantDueSeconds: begun ? dueSeconds(tokens, rooms.now()) : null,
      notAfter: claim.deadline,
    }
    return { row, refreshToken: begun?.refreshToken ?? null }
  }

  /** I10: a logout that the provider announced while the login was being saved found no row to end. */
  async function refuseIfEnded(row: SessionRow, login: LoginAtProvider): Promise<void> {
    if (!(await endedMeanwhile(rooms, row.provider, login))) return
    await rooms.endSession(row.sid, "backchannel_logout")
    throw new PkceError("login_failed", { reason: "ended_at_provider" })
  }

  /** C3: the same session again, as long as nothing has happened to it since. */
  async function repeat(input: Login, kid: string, row: SessionRow, now: number): Promise<Grant> {
    const over = row.revokedAt !== null || now >= row.absoluteExpiresAt || now >= row.idleExpiresAt
    if (over) throw interrupted("session_moved_on")
    // The process that made the row may have died before it looked.
    await refuseIfEnded(row, { issuer: row.idpIss, subject: row.idpSub, idpSid: row.idpSid, issuedAt: null })
    const age = now - row.createdAt
    const withSessionToken = age >= 0 && age <= REPEAT_WINDOW
    let refreshToken: string | null = null
    if (input.session_challenge !== undefined) {
      if ((await ring.state(kid)) === "retired") throw interrupted("kid_retired")
      const begun = await line.begin({
        kid,
        sid: row.sid,
        code: input.code,
        codeVerifier: input.code_verifier,
        challenge: input.session_challenge,
      })
      // `cur` is of generation 0 no more once the line has taken a step.
      if (!equal(begun.cur, row.cur)) throw interrupted("session_moved_on")
      refreshToken = begun.refreshToken
    } else if (!withSessionToken) throw interrupted("repeat_too_late")
    const profile = await openProfile(rooms, row)
    return grantOf(rooms, { row, now, refreshToken, withSessionToken, profile })
  }

  /** Ends the claim as the failure demands, and says what to throw. A store that fails here has told so already. */
  async function afterFailure(claim: CodeClaim, thrown: unknown): Promise<unknown> {
    const quietly = (work: Promise<void>) => work.catch(() => undefined)
    if (thrown instanceof PkceError && thrown.code === "login_failed") {
      await quietly(claim.settle("failed"))
      return thrown
    }
    if (thrown instanceof ProviderError && !thrown.spent) {
      await quietly(claim.release())
      return thrown
    }
    // The provider may have seen the code: a second look at it could make it end what the first one gave (C2).
    await quietly(claim.settle("interrupted"))
    return thrown instanceof PkceError ? interrupted(thrown.reason ?? thrown.code) : thrown
  }

  async function tellFailure(provider: Provider, input: Login, error: PkceError): Promise<void> {
    const replay = error.reason === "code_replay"
    emit({
      type: replay ? "auth.exchange.code_replay" : "auth.exchange.failed",
      provider: provider.id,
      error_id: error.errorId,
      code_fp: await rooms.fingerprint(input.code),
      ...(error.reason !== undefined && { reason: error.reason }),
    })
  }
}

/** C6: by its id in a fixed list; without an id only where there is nothing to choose. */
function chooseProvider(providers: Rooms["providers"], id: string | undefined): Provider {
  const provider =
    id !== undefined ? providers.get(id) : providers.list.length === 1 ? providers.list[0] : undefined
  if (provider) return provider
  throw new PkceError("invalid_request", { description: "Missing or malformed: provider." })
}
