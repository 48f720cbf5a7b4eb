import { s256 } from "#crypto"
import { PkceError } from "../../errors.js"
import { parseCompact } from "../../provider/compact-jwt.js"
import type { LogoutToken, Provider } from "../../provider/types.js"
import { subjectOf } from "../../session/subject.js"
import type { Store } from "../../stores/contract.js"
import { lengthPrefixed } from "../../vault/fields.js"
import type { Rooms } from "../rooms.js"

/** Seconds for which no logout token is taken that is older, whatever its `exp` says: so long its `jti` is remembered. */
const LONGEST = 20 * 60
/** Seconds for which a login that was under way when the logout came is refused. */
const REMEMBERED = 900

/** Names a logout in the store: of one session at the provider, or of one user there. */
const nameOf = async (...fields: string[]): Promise<string> => s256(lengthPrefixed(...fields))

/**
 * Acts upon a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.7): by `sid` it ends the sessions that began
 * in that session at the provider, by `sub` alone all sessions of that user. Unknown ones are success (I9), a token that
 * was acted upon is success without work (I8). Throws `PkceError("logout_failed")`, our own outage included (section 2.8).
 */
export function createBackchannelLogout(rooms: Rooms) {
  const { store, tokens, emit, now } = rooms

  async function act(provider: Provider, token: LogoutToken): Promise<{ sessions: number; repeat: boolean }> {
    const { issuer } = provider
    const jti = await nameOf(issuer, token.jti)
    if ((await store.peek("jti", jti)) !== null) return { sessions: 0, repeat: true }
    // I10: the mark first. A login that is just being saved looks for it behind its row, so one of the two sees the other.
    const ended =
      token.sid !== undefined
        ? await endBySid(issuer, token.sid, token.iat)
        : await endBySub(issuer, String(token.sub), token.iat)
    for (const sid of ended) {
      tokens.forget(sid)
      emit({ type: "session.revoked", session_id: sid, reason: "backchannel_logout" })
    }
    // Last: a process that dies before this has the provider's repeat do the work again.
    const remembered = Math.min(Math.max(60, token.exp - now() + 2 * 60), LONGEST)
    await store.claim("jti", jti, "", remembered)
    return { sessions: ended.length, repeat: false }
  }

  async function endBySid(issuer: string, sid: string, iat: number): Promise<string[]> {
    const key = await nameOf("sid", issuer, sid)
    return afterMark(key, iat, () => store.revokeByProviderSession(issuer, sid, "backchannel_logout"))
  }

  async function endBySub(issuer: string, sub: string, iat: number): Promise<string[]> {
    const [key, user] = [await nameOf("sub", issuer, sub), await subjectOf(issuer, sub)]
    return afterMark(key, iat, () => store.revokeByUser(user, "backchannel_logout"))
  }

  /** I11: a mark that the store does not take keeps nobody from trying to end the sessions, which is then repeated (F12). */
  async function afterMark(key: string, iat: number, end: () => Promise<string[]>): Promise<string[]> {
    const [marked, ended] = [await settled(mark(store, key, iat)), await end()]
    if (marked.status === "rejected") throw marked.reason
    return ended
  }

  return async (text: string): Promise<void> => {
    const provider = addressee(rooms, text)
    try {
      if (!provider) throw new PkceError("logout_failed", { reason: "logout_token_unknown_issuer" })
      const done = await act(provider, await provider.verifyLogoutToken(text))
      emit({ type: "auth.backchannel_logout.succeeded", provider: provider.id, ...done })
    } catch (thrown) {
      if (!(thrown instanceof PkceError)) throw thrown
      const error =
        thrown.code === "logout_failed"
          ? thrown
          : new PkceError("logout_failed", { reason: thrown.reason ?? thrown.code })
      const { errorId, reason } = error
      const about = { ...(provider && { provider: provider.id }), ...(reason !== undefined && { reason }) }
      emit({ type: "auth.backchannel_logout.failed", error_id: errorId, ...about })
      throw error
    }
  }
}

/** Whom the token names, unverified: it only chooses whose keys must verify it. */
function addressee({ providers }: Rooms, text: string): Provider | undefined {
  const claims = parseCompact(text)?.claims
  const audiences: unknown[] = Array.isArray(claims?.aud) ? claims.aud : [claims?.aud]
  return providers.list.find(({ issuer, clientId }) => issuer === claims?.iss && audiences.includes(clientId))
}

const settled = async <T>(work: Promise<T>): Promise<PromiseSettledResult<T>> => {
  const [result] = await Promise.allSettled([work])
  return result
}

/** The latest logout stands. */
async function mark(store: Store, key: string, iat: number): Promise<void> {
  const value = String(iat)
  for (;;) {
    const claimed = await store.claim("logout", key, value, REMEMBERED)
    if (claimed.outcome === "claimed" || Number(claimed.value) >= iat) return
    if (await store.settle("logout", key, claimed.value, value)) return
  }
}

export interface LoginAtProvider {
  issuer: string
  subject: string
  idpSid: string | null
  /** Seconds since the epoch: `iat` of the ID token; `null` where it is not at hand. */
  issuedAt: number | null
}

/** I10: whether the provider has ended this login while it was being saved. To be asked after the row was written. */
export async function endedMeanwhile(
  { store, providers }: Pick<Rooms, "store" | "providers">,
  providerId: string,
  { issuer, subject, idpSid, issuedAt }: LoginAtProvider,
): Promise<boolean> {
  if (idpSid !== null && (await store.peek("logout", await nameOf("sid", issuer, idpSid))) !== null)
    return true
  if (issuedAt === null || !(await providers.get(providerId)?.announcesLogout())) return false
  const iat = await store.peek("logout", await nameOf("sub", issuer, subject))
  return iat !== null && issuedAt <= Number(iat)
}
