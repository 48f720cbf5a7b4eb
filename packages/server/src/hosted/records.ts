import { type Delivery, fromBase64url, type SessionDevice, toBase64url } from "@pkce/protocol"
import type { Identity } from "../provider/types.js"
import type { Store } from "../stores/contract.js"
import type { SealContext, Vault } from "../vault/types.js"

/** Seconds from `POST /start` to the callback (A7). */
export const LOGIN_LIFETIME = 600
/** Seconds from the callback to the redemption: a person may need the return button. */
export const HANDOFF_LIFETIME = 600

/** What a login was started with. It grants nothing. */
export interface StartedLogin {
  provider: string
  delivery: Delivery
  /** Where the handoff goes; for a web view the origin that it is posted to, or none. */
  redirectUri: string | null
  /** The app's. */
  state: string
  /** The app's: S256 of the verifier that opens the handoff. */
  challenge: string
  device: { [part in keyof SessionDevice]?: string | undefined }
  loginHint?: string
  uiLocales?: string
  /** The secret that everything of this login is derived with. */
  kid: string
  /** The provider, or we, refused the user of the browser that this nonce was made for. */
  failed?: { error: "access_denied" | "server_error"; nonce: string }
}

/** A login whose user has come back from the provider. */
export interface ReturnedLogin
  extends Pick<StartedLogin, "provider" | "delivery" | "challenge" | "device" | "kid"> {
  /** Of the session that it becomes. */
  sid: string
  /** Of the browser that came back: no other is shown the handoff (B11). */
  nonce: string
  identity: Identity
  /** Seconds of the store's clock; no session may be created later. */
  deadline: number
  /** Hash of the request that redeemed it: a repeat is told from a replay. */
  redeemedBy?: string
  /** A wrong verifier came with the right handoff: somebody has stolen it (J4). */
  burned?: true
}

export interface Found<T> {
  login: T
  /** As the store has it, to be compared. */
  value: string
}

/** The two values that the store keeps of a login, both sealed: the user's tokens are in one of them. */
export function createLoginRecords(store: Store, vault: Vault) {
  const context = (purpose: "login" | "handoff", loginId: string): SealContext => ({
    purpose,
    issuer: "",
    subject: "",
    sid: loginId,
    rev: 0,
  })

  function records<T>(kind: "login" | "handoff", seconds: number) {
    const sealed = async (loginId: string, login: T) =>
      toBase64url(await vault.seal(login, context(kind, loginId)))
    return {
      /** False where the login has one already, which stays. */
      async add(loginId: string, login: T): Promise<boolean> {
        const result = await store.claim(kind, loginId, await sealed(loginId, login), seconds)
        return result.outcome === "claimed"
      },
      async find(loginId: string): Promise<Found<T> | null> {
        const value = await store.peek(kind, loginId)
        const bytes = value === null ? null : fromBase64url(value)
        if (value === null || bytes === null) return null
        return { login: (await vault.open(bytes, context(kind, loginId))) as T, value }
      },
      /** False where it has changed since it was found. */
      async replace(loginId: string, found: Found<T>, login: T): Promise<boolean> {
        return store.settle(kind, loginId, found.value, await sealed(loginId, login))
      },
    }
  }

  return {
    started: records<StartedLogin>("login", LOGIN_LIFETIME),
    returned: records<ReturnedLogin>("handoff", HANDOFF_LIFETIME),
  }
}

export type LoginRecords = ReturnType<typeof createLoginRecords>
