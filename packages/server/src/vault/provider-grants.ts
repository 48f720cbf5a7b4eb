import { PkceError, ProviderError } from "../errors.js"
import type { SessionRow } from "../stores/contract.js"
import { createGrantRefresh, type GrantDependencies } from "./grant-refresh.js"
import {
  chosen,
  endOf,
  grantContext,
  profileContext,
  type SealedTokens,
  type Wanted,
} from "./provider-tokens.js"
import type { SealContext } from "./types.js"

export interface AccessTokenOptions extends Wanted {
  /** Seconds for which the token must still be good, else it is refreshed. Default 60, or half of its lifetime if that is less. */
  minTtl?: number
}

/** Milliseconds between looks at a grant that another process refreshes; together a little over ten seconds. */
const PAUSES = [50, 100, 200, 400, 800, 1000, 1500, 2000, 2000, 2000]
const MIN_TTL = 60

/** The provider's tokens of the sessions, as the backend uses them: fresh, and refreshed by one call in the whole fleet. */
export function createProviderGrants(dependencies: GrantDependencies) {
  const { store, vault, providers, emit, now, pause } = dependencies
  const grants = createGrantRefresh(dependencies)
  const flights = new Map<string, Promise<string>>()

  async function live(sid: string): Promise<{ row: SessionRow; now: number }> {
    const { row, now } = await store.find(sid)
    if (row && row.revokedAt === null && now < Math.min(row.idleExpiresAt, row.absoluteExpiresAt))
      return { row, now }
    throw new PkceError(row && row.revokedAt !== null ? "session_revoked" : "session_expired")
  }

  async function tokensOf(row: SessionRow): Promise<SealedTokens> {
    const unsaved = grants.unsavedOf(row)
    if (unsaved) return unsaved
    if (row.grant === null) throw reauthenticate("no_grant")
    return (await open(row, row.grant, grantContext(row))) as SealedTokens
  }

  async function open(row: SessionRow, sealed: Uint8Array, context: SealContext): Promise<unknown> {
    try {
      return await vault.open(sealed, context)
    } catch (thrown) {
      // G2, G3: the session goes on, and the row is kept for whoever inspects it.
      const isUnreadable = thrown instanceof PkceError && thrown.code === "provider_grant_unreadable"
      // A key that was given up on purpose is no tampering.
      if (isUnreadable && thrown.reason !== "key_retired")
        emit({ type: "store.tamper", session_id: row.sid, sub: row.sub, error_id: thrown.errorId })
      throw thrown
    }
  }

  /** `spent` was refused where it was used: a token that differs from it, however long it has to live. */
  async function obtain(
    sid: string,
    wanted: Wanted,
    minTtl: number | undefined,
    spent?: string,
  ): Promise<string> {
    for (const milliseconds of [...PAUSES, null]) {
      const { row, now: storeNow } = await live(sid)
      const tokens = await tokensOf(row)
      const found = chosen(tokens, wanted)
      const token = found?.access_token === spent ? undefined : found
      const left = token ? endOf(token) - now() : 0
      if (token && left > 0 && left >= (minTtl ?? usualTtl(token))) return token.access_token
      // R15: what is good for less than was wished is better than nothing.
      const usable = token && left > 0 ? token.access_token : undefined
      if (tokens.refresh_token === undefined) {
        // Nobody said that it ends, and nothing better can be had.
        if (token && token.expires_at === undefined) return token.access_token
        if (usable !== undefined) return usable
        throw reauthenticate("no_refresh_token")
      }
      const result = await grants.refresh({ row, tokens, now: storeNow }, wanted)
      if (result.outcome === "refreshed") {
        const fresh = chosen(result.tokens, wanted)
        if (fresh) return fresh.access_token
      } else if (result.outcome !== "elsewhere") {
        if (usable !== undefined) return usable
        throw result.outcome === "failed" ? result.error : reauthenticate(result.reason)
      }
      // H1: the one who holds the lease will be done soon, or has died.
      if (milliseconds === null) {
        if (usable !== undefined) return usable
        break
      }
      await pause(milliseconds)
    }
    throw new PkceError("idp_unavailable", { reason: "leased", retryAfter: 5 })
  }

  async function accessToken(sid: string, options: AccessTokenOptions = {}): Promise<string> {
    const { minTtl, ...wanted } = options
    return shared([sid, minTtl ?? null, wanted.scope ?? null, wanted.audience ?? null], () =>
      obtain(sid, wanted, minTtl),
    )
  }

  /** H1: all callers of this process that want the same thing of one session wait for one answer. */
  function shared(key: unknown[], work: () => Promise<string>): Promise<string> {
    // The store's lease lets one of them call the provider all the same.
    if (providers.endsWithRequest) return work()
    const name = JSON.stringify(key)
    const known = flights.get(name)
    if (known) return known
    const flight = work().finally(() => flights.delete(name))
    flights.set(name, flight)
    return flight
  }

  async function userInfo(sid: string): Promise<Record<string, unknown>> {
    const { row } = await live(sid)
    const provider = providers.get(row.provider)
    if (!provider) throw new PkceError("idp_misconfigured", { reason: "provider_unknown" })
    const token = await accessToken(sid)
    try {
      return await provider.userinfo(token, row.idpSub)
    } catch (thrown) {
      // The provider may end an access token before its time (RFC 6750 section 3.1).
      if (!(thrown instanceof ProviderError) || thrown.reason !== "userinfo_unauthorized") throw thrown
      const fresh = await shared([sid, "instead", token], () => obtain(sid, {}, undefined, token))
      return provider.userinfo(fresh, row.idpSub)
    }
  }

  async function claims(sid: string): Promise<Record<string, unknown>> {
    const { row } = await live(sid)
    return (await open(row, row.profile, profileContext(row))) as Record<string, unknown>
  }

  return {
    accessToken,
    userInfo,
    claims,
    tokensOf,
    refresh: grants.refresh,
    /** RFC 7009, behind the caller's back: for a session that has just ended, by the row as it was before. */
    revokeLater: (row: SessionRow) => grants.revokeLater(row, tokensOf(row)),
    settled: grants.settled,
  }
}

export type ProviderGrants = ReturnType<typeof createProviderGrants>

/** Tokens that live a minute would otherwise be refreshed at every call. */
const usualTtl = (token: Pick<SealedTokens, "expires_at" | "obtained_at">): number =>
  Math.min(MIN_TTL, (endOf(token) - token.obtained_at) / 2)

const reauthenticate = (reason: string) => new PkceError("reauthentication_required", { reason })
