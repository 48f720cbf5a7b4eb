import type { LogoutAnswer } from "@pkce/protocol"
import { originOf } from "../pkce/url.js"
import type { Platform } from "../platforms/ports.js"
import type { Line } from "./line.js"
import { credentialsOf, emptyRecord, type RecordStore, type StoredSession } from "./record.js"
import type { SessionState } from "./state.js"
import type { Wire } from "./wire.js"

export interface LogoutOptions {
  /** Ends the user's sessions on all devices. */
  everywhere?: boolean
  /** Ends the session at the provider too, by opening its logout page in the browser. */
  provider?: boolean
  /** Where the provider sends the browser afterwards; must be on the backend's list. Only with `provider`. */
  postLogoutRedirectUri?: string
}

export interface LogoutDeps {
  wire: Wire
  record: RecordStore
  state: SessionState
  platform: Platform
}

/** How a session ends on this device's wish. */
export interface Logout {
  logout(options?: LogoutOptions): Promise<void>
  /** Ends a session at the backend if it can be reached, by its token or by what the line knows. */
  abandon(
    session: Pick<StoredSession, "refreshToken" | "verifier">,
    options?: LogoutOptions,
    bearer?: string | null,
  ): Promise<void>
}

export function createLogout({ wire, record, state, platform }: LogoutDeps, line: Line): Logout {
  const abandon: Logout["abandon"] = async (session, options = {}, bearer) => {
    if (options.everywhere && bearer) await wire.send({ method: "DELETE", path: "/sessions", bearer })
    const body = {
      ...credentialsOf(session),
      post_logout_redirect_uri: options.provider ? options.postLogoutRedirectUri : undefined,
    }
    const call = { method: "POST", path: "/logout", body } as const
    let answer = await wire.send({ ...call, bearer })
    // A token that has just ended, or a network that has just come back.
    if (!answer.ok) answer = await wire.send(call)
    const url = (answer.body as LogoutAnswer).logout_url
    // It may be relative to the request that it answers, which is `/logout` of the mount.
    if (options.provider && url) await platform.browser.visit?.(originOf(url) ? url : `${wire.base()}/${url}`)
  }

  const logout: Logout["logout"] = async (options = {}) => {
    // Anew: the token of a session that another process has replaced would end that one, and leave this one alive.
    let session = await state.load(true).catch(state.current)
    // Ending the other devices needs a session token: asked for only if the present one has ended, and while it still can be.
    if (options.everywhere) await line.getSessionToken().catch(() => {})
    const bearer = state.token()
    try {
      // The record first: the user is out, whatever the network does. A login under way must not sign in again.
      await record.update((stored) => {
        session = stored.session
        // Nothing is left, and the storage deletes what it has.
        Object.assign(stored, emptyRecord())
      })
    } finally {
      state.publish(null, "logout")
      // A browser that cannot be shown makes no logout fail; what its module says may quote the URL.
      if (session) await abandon(session, options, bearer).catch(() => {})
    }
  }

  return { logout, abandon }
}
