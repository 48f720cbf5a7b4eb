import { fromBase64url, type LogoutAnswer, type LogoutRequest, toBase64url } from "@pkce/protocol"
import { hmac } from "#crypto"
import { PkceError } from "../../errors.js"
import type { Provider } from "../../provider/types.js"
import type { Session } from "../../session/types.js"
import type { SessionRow } from "../../stores/contract.js"
import { lengthPrefixed } from "../../vault/fields.js"
import type { SealContext } from "../../vault/types.js"
import type { Cookies } from "../cookies.js"
import type { Rooms } from "../rooms.js"
import type { Caller } from "./open-session.js"

/** Seconds in which the browser must come for its ticket. */
const TICKET_LIFETIME = 300

// The browser brings nothing but the ticket's id, so that is all that the seal can be bound to.
const ticketContext = (id: string): SealContext => ({
  purpose: "ticket",
  issuer: "",
  subject: "",
  sid: id,
  rev: 0,
})

/**
 * Ends a session, by its token or by the two credentials of the line, and hands out a ticket for the end of the
 * provider's session (OpenID Connect RP-Initiated Logout 1.0). Idempotent: a repeat finds the session ended and the same
 * ticket. Who proves neither gets 401 `invalid_token`: a 200 would tell an app that a session has ended that goes on.
 */
export function createLogout(rooms: Rooms) {
  const { config, providers, store, ring, vault, line, grants, endSession, endLater } = rooms

  async function logout(
    input: LogoutRequest & { session?: Session },
    { cookies }: Caller = {},
  ): Promise<LogoutAnswer> {
    const { post_logout_redirect_uri: returnTo } = input
    // I2: before the session ends, so that a refused request has changed nothing (GR3).
    if (returnTo !== undefined && !config.postLogoutRedirectUris.includes(returnTo))
      throw new PkceError("invalid_request", { description: "post_logout_redirect_uri is not on the list." })
    const sid = input.session?.id ?? (await proven(input, cookies))
    if (sid === null) throw new PkceError("invalid_token")
    cookies?.drop(sid)

    const { row } = await store.find(sid).catch((error: unknown) => {
      // F12: that it is to end is proved by now; the row was for the ticket.
      endLater({ sid }, "logout")
      throw error
    })
    if (!row) return {}
    const idToken = await idTokenOf(row)
    // F12, I3: durably ended before anything is answered and before the provider is asked for anything.
    if (await endSession(sid, "logout")) grants.revokeLater(row)
    const target = await providerLogout(row.provider, {
      ...(idToken !== undefined && { idToken }),
      ...(returnTo !== undefined && { postLogoutRedirectUri: returnTo }),
      ...(input.state !== undefined && { state: input.state }),
    })
    if (target === null) return {}
    const id = await issue(target, lengthPrefixed(sid, returnTo ?? "", input.state ?? ""))
    return { logout_url: config.url === null ? `logout/${id}` : `${config.url}/logout/${id}` }
  }

  async function proven(
    { refresh_token, session_verifier }: LogoutRequest,
    cookies: Cookies | undefined,
  ): Promise<string | null> {
    if (refresh_token === undefined || session_verifier === undefined) return null
    return line.prove({
      refreshToken: refresh_token,
      verifier: session_verifier,
      binderOf: (sid) => cookies?.get(sid),
    })
  }

  async function idTokenOf(row: SessionRow): Promise<string | undefined> {
    if (row.grant === null) return undefined
    try {
      return (await grants.tokensOf(row)).id_token
    } catch {
      // Without the hint the provider asks the user; that is no reason to keep the session.
      return undefined
    }
  }

  /** `null` where the provider offers no logout or cannot be asked now (I3). */
  async function providerLogout(
    provider: string,
    input: Parameters<Provider["logoutUrl"]>[0],
  ): Promise<string | null> {
    const url = await providers
      .get(provider)
      ?.logoutUrl(input)
      .catch(() => null)
    return url ?? null
  }

  /**
   * Keeps where the browser is to go, and gives the name of it: the same for the same logout. The whole URL is kept, so
   * that a provider that cannot be asked when the browser comes costs it nothing.
   */
  async function issue(target: string, named: Uint8Array): Promise<string> {
    const key = await ring.hmac(await ring.active(), "ticket")
    const id = toBase64url(await hmac(key, named))
    const sealed = toBase64url(await vault.seal(target, ticketContext(id)))
    // A repeat finds the first one's value there, and leaves it: it alone has the ID token.
    await store.claim("ticket", id, sealed, TICKET_LIFETIME)
    return id
  }

  /** Where the browser that brings a ticket is sent. The ticket is used up. */
  async function redeemTicket(id: string): Promise<string> {
    const value = await store.take("ticket", id)
    const sealed = value === null ? null : fromBase64url(value)
    if (sealed === null) throw new PkceError("not_found")
    return (await vault.open(sealed, ticketContext(id))) as string
  }

  return { logout, redeemTicket }
}
