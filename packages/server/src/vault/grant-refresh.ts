import { PkceError, ProviderError } from "../errors.js"
import type { Emit } from "../events.js"
import type { Provider, ProviderTokens } from "../provider/types.js"
import type { GrantState, SealGrant, SealResult, SessionRow, Store } from "../stores/contract.js"
import { createBreakers } from "./breaker.js"
import {
  dueSeconds,
  grantContext,
  profileContext,
  type SealedTokens,
  type Wanted,
  withRefreshed,
} from "./provider-tokens.js"
import type { Vault } from "./types.js"

export interface GrantDependencies {
  store: Store
  vault: Vault
  /** With `endsWithRequest` no request waits for a refresh that another one began. */
  providers: { get(id: string): Provider | undefined; readonly endsWithRequest?: boolean }
  emit: Emit
  /** Ends a session of ours, durably. */
  endSession(sid: string, reason: string): Promise<unknown>
  onProviderGrantRevoked: "keep" | "revoke-session"
  /** Seconds since the epoch, of this process: what the provider's lifetimes are reckoned from. */
  now(): number
  pause(milliseconds: number): Promise<void>
}

/** What was found in the store: a live row, and what is sealed in it. */
export interface OpenedGrant {
  row: SessionRow
  tokens: SealedTokens
  /** The store's time. */
  now: number
}

export type GrantRefresh =
  | { outcome: "refreshed"; tokens: SealedTokens }
  /** Somebody else is at it, or was: look again. */
  | { outcome: "elsewhere" }
  /** The grant has come to its end. */
  | { outcome: "ended"; reason: "lost" | "revoked" | "identity_changed" }
  | { outcome: "failed"; error: PkceError }

/** Seconds of a lease: longer than the deadline of the provider's answer and the save behind it. */
const LEASE = 45
/** Seconds between two refusals that together count as the end of the grant (H3). */
const REFUSALS_APART = 5
/** Seconds after which the background tries again what failed. */
const RETRY = 60
/** Milliseconds between attempts to save what the provider issued, and for how long. */
const SAVE = { first: 100, longest: 5_000, until: 10 * 60_000 }

/** A lease that this process holds. */
type Held = Pick<SealGrant, "sid" | "rev" | "lease"> & { row: SessionRow; since: number }

/**
 * Refreshes the provider's tokens of one session: one call of the provider per expiry in the whole fleet.
 *
 * The lease is the intent (H2): it is written before the provider is called, so a process that dies after the provider has
 * rotated its token leaves a row that says so. The next holder presents the old token once more, and where that is refused
 * the grant is `lost`; a refusal of a token that nobody else can have spent is the provider's own word, and, said twice,
 * the grant is `revoked` (H3). What was issued is kept until it is saved, whatever the store does meanwhile.
 */
export function createGrantRefresh(dependencies: GrantDependencies) {
  const { store, vault, providers, emit, endSession, onProviderGrantRevoked, now, pause } = dependencies
  const breakers = createBreakers(emit, now)
  /** Issued, but not saved yet: this process goes by it, since what the store has is spent. */
  const unsaved = new Map<string, { rev: number; tokens: SealedTokens }>()
  const running = new Set<Promise<unknown>>()

  async function refresh({ row, tokens, now: storeNow }: OpenedGrant, wanted: Wanted): Promise<GrantRefresh> {
    const provider = providers.get(row.provider)
    if (!provider) return failure("idp_misconfigured", "provider_unknown")
    const { grantState: state, grantDueAt } = row
    if (state === "lost" || state === "revoked") return { outcome: "ended", reason: state }
    if (state === "refused" && grantDueAt !== null && grantDueAt > storeNow)
      return failure("idp_unavailable", "invalid_grant", grantDueAt - storeNow)
    // Before the refresh token is spent: what cannot be sealed must not be asked for.
    const unready = await vault.ready().catch((thrown: unknown) => thrown)
    if (unready instanceof PkceError) return { outcome: "failed", error: unready }
    const wait = breakers.wait(provider.issuer)
    if (wait > 0) return failure("idp_unavailable", "circuit_open", wait)

    const lease = await store
      .leaseGrant(row.sid, { rev: row.grantRev, seconds: LEASE })
      .catch((thrown: unknown) => {
        breakers.unused(provider.issuer)
        throw thrown
      })
    if (lease.outcome !== "leased") {
      breakers.unused(provider.issuer)
      return { outcome: "elsewhere" }
    }
    const held: Held = {
      sid: row.sid,
      rev: row.grantRev,
      lease: lease.row.leaseNumber,
      row: lease.row,
      since: performance.now(),
    }
    if (lease.before === "retried") {
      // H2: it was presented blindly once already, and that attempt died as well. Never a second time.
      breakers.unused(provider.issuer)
      return ended(held, "lost")
    }
    return track(ask(provider, held, lease.before, tokens, wanted))
  }

  async function ask(
    provider: Provider,
    held: Held,
    before: GrantState,
    tokens: SealedTokens,
    wanted: Wanted,
  ): Promise<GrantRefresh> {
    const who = aboutOf(held.row)
    try {
      const answer = await provider.refresh({ tokens, subject: held.row.idpSub, ...wanted })
      breakers.succeeded(provider.issuer, provider.id)
      if (answer.outcome === "refreshed") return await save(held, tokens, answer.tokens, wanted)
      if (answer.outcome === "identity_changed") {
        // E16: nothing of the answer is kept, and nobody can say any more whose session this is.
        emit({ type: "idp.refresh.identity_changed", ...who, reason: answer.reason })
        await endSession(held.sid, "identity_changed")
        return { outcome: "ended", reason: "identity_changed" }
      }
      if (before === "uncertain") return ended(held, "lost")
      if (before === "refused") return ended(held, "revoked")
      await settle(held, "refused", REFUSALS_APART)
      emit({ type: "idp.refresh.failed", ...who, reason: "invalid_grant" })
      return failure("idp_unavailable", "invalid_grant", REFUSALS_APART)
    } catch (thrown) {
      if (!(thrown instanceof ProviderError)) {
        breakers.unused(provider.issuer)
        throw thrown
      }
      const { errorId, reason = thrown.code } = thrown
      // A scope or an audience that the provider does not know says nothing of its health.
      if (reason === "token_request_rejected") breakers.unused(provider.issuer)
      else breakers.failed(provider.issuer, provider.id, thrown.retryAfter)
      const isLogin = wanted.scope === undefined && wanted.audience === undefined
      const due = isLogin ? RETRY : dueSeconds(tokens, now())
      await settle(held, thrown.spent ? "uncertain" : before, due)
      emit({ type: "idp.refresh.failed", ...who, error_id: errorId, reason })
      return {
        outcome: "failed",
        error: new PkceError(thrown.code, { reason, retryable: true, ...after(thrown.retryAfter) }),
      }
    }
  }

  async function ended(held: Held, reason: "lost" | "revoked"): Promise<GrantRefresh> {
    if (!(await settle(held, reason, null))) return { outcome: "elsewhere" }
    emit({ type: reason === "lost" ? "idp.grant.lost" : "idp.grant.revoked", ...aboutOf(held.row) })
    if (reason === "revoked" && onProviderGrantRevoked === "revoke-session")
      await endSession(held.sid, "provider_grant_revoked")
    return { outcome: "ended", reason }
  }

  /** Ends the lease without new tokens. Where that fails the lease ends by itself, and says `uncertain`. */
  async function settle({ sid, rev, lease }: Held, state: GrantState, due: number | null): Promise<boolean> {
    const settled = await store.sealGrant({ sid, rev, lease, state, dueSeconds: due }).catch(() => null)
    return settled?.outcome === "sealed"
  }

  async function save(
    held: Held,
    old: SealedTokens,
    issued: ProviderTokens,
    wanted: Wanted,
  ): Promise<GrantRefresh> {
    const tokens = withRefreshed(old, issued, wanted, now())
    const { sid, rev, lease } = held
    const attempt = async () => {
      const grant = await vault.seal(tokens, grantContext({ ...held.row, grantRev: rev + 1 }))
      // R14: whoever overslept the lease cannot know what the next holder's call has done to these tokens.
      const overslept = performance.now() - held.since > LEASE * 1000
      const state = overslept ? "uncertain" : "ok"
      const profile = await profileAnew(held.row)
      return store.sealGrant({
        ...{ sid, rev, lease, state, dueSeconds: dueSeconds(tokens, now()), grant },
        ...(profile && { profile }),
      })
    }
    unsaved.set(sid, { rev, tokens })
    const result = await attempt().catch(() => null)
    if (result === null || waits(result, rev)) {
      track(saveLater(held, tokens, attempt))
      return { outcome: "refreshed", tokens }
    }
    finish(held, tokens, result)
    return result.outcome === "sealed" ? { outcome: "refreshed", tokens } : { outcome: "elsewhere" }
  }

  /** The profile under the present key, where an older one sealed it: the row is written in any case. */
  async function profileAnew(row: SessionRow): Promise<Uint8Array | undefined> {
    if (!(await vault.isOld(row.profile))) return undefined
    const context = profileContext(row)
    // What does not open is left as it is; these tokens must be saved all the same.
    return vault.open(row.profile, context).then(
      (profile) => vault.seal(profile, context),
      () => undefined,
    )
  }

  /** The store was away, or somebody holds a later lease: the tokens are kept, and saved when their turn has come. */
  async function saveLater(held: Held, tokens: SealedTokens, attempt: () => Promise<SealResult>) {
    const began = performance.now()
    for (
      let wait = SAVE.first;
      performance.now() - began < SAVE.until;
      wait = Math.min(wait * 2, SAVE.longest)
    ) {
      await pause(wait * (0.5 + Math.random() / 2))
      const result = await attempt().catch(() => null)
      if (result && !waits(result, held.rev)) return finish(held, tokens, result)
    }
    unsaved.delete(held.sid)
    emit({ type: "idp.refresh.failed", ...aboutOf(held.row), reason: "not_saved" })
  }

  function finish(held: Held, tokens: SealedTokens, result: SealResult): void {
    unsaved.delete(held.sid)
    if (result.outcome === "sealed") emit({ type: "idp.refresh.succeeded", ...aboutOf(held.row) })
    // The session ended meanwhile, and what ended it could not know of this refresh token.
    else if (result.outcome === "missing" || result.row.revokedAt !== null)
      track(revokeTokens(held.row, tokens))
  }

  /** RFC 7009, best effort: our own session has ended already, and the provider's token ends with its lifetime. */
  async function revokeTokens(row: SessionRow, { refresh_token: token }: SealedTokens): Promise<void> {
    if (token === undefined) return
    try {
      await providers.get(row.provider)?.revoke(token)
    } catch (thrown) {
      const reason = thrown instanceof PkceError ? (thrown.reason ?? thrown.code) : "internal"
      emit({ type: "idp.revocation.failed", ...aboutOf(row), reason })
    }
  }

  function track<T>(work: Promise<T>): Promise<T> {
    running.add(work)
    const done = () => void running.delete(work)
    work.then(done, done)
    return work
  }

  return {
    refresh,
    /** What this process was issued for that row and could not save yet. */
    unsavedOf: (row: SessionRow): SealedTokens | undefined => {
      const kept = unsaved.get(row.sid)
      return kept?.rev === row.grantRev ? kept.tokens : undefined
    },
    /** Revokes the provider's refresh token of a session that has ended, behind the caller's back. */
    revokeLater: (row: SessionRow, tokens: Promise<SealedTokens>) =>
      track(
        tokens.then(
          (opened) => revokeTokens(row, opened),
          // What cannot be opened cannot be revoked either.
          () => undefined,
        ),
      ),
    /** Resolves when nothing of this is under way any more. */
    async settled() {
      // What ends may begin something: an answer is saved, and what cannot be saved is revoked.
      while (running.size > 0) await Promise.allSettled(running)
    },
  }
}

/** Refused for now only: nothing newer is stored, but another lease runs. */
const waits = (result: SealResult, rev: number): boolean =>
  result.outcome === "refused" &&
  result.row.revokedAt === null &&
  result.row.grantRev === rev &&
  result.now < result.row.leaseExpiresAt

const aboutOf = ({ sid, sub, provider }: SessionRow) => ({ session_id: sid, sub, provider })

const after = (retryAfter: number | undefined) => (retryAfter === undefined ? {} : { retryAfter })

const failure = (
  code: "idp_unavailable" | "idp_misconfigured",
  reason: string,
  retryAfter?: number,
): GrantRefresh => ({
  outcome: "failed",
  error: new PkceError(code, { reason, ...after(retryAfter) }),
})
