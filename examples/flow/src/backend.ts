import { createHash } from "node:crypto"
import type { PkceEvent } from "@pkce/server"
import type { ProviderEvent } from "@pkce-examples/local-provider"
import { arrow, type Check, hidden, same, shown, type Tell } from "./step.js"

type Redeemed = Extract<ProviderEvent, { type: "code_redeemed" }>

export interface BackendWatch {
  /** For `createPkceServer({ onEvent })`. */
  onEvent(event: PkceEvent): void
  /** For a provider that tells what it does; leave it out with one that does not. */
  onProviderEvent(event: ProviderEvent): void
}

/**
 * Tells what happens at the backend and at the provider: steps 3, 6 and 7 of a login, refreshes, the end.
 *
 * @param isSealed whether none of these texts can be read in the backend's database
 * @example
 * ```ts
 * const watch = watchBackend({ issuer, clientId, clientSecret }, print)
 * createPkceServer({ ...options, onEvent: watch.onEvent })
 * ```
 */
export function watchBackend(
  client: { issuer: string; clientId: string; clientSecret: string },
  tell: Tell,
  isSealed?: (secrets: string[]) => boolean,
): BackendWatch {
  /** By state, and then by code: what the ID token's nonce must be. */
  const nonces = new Map<string, string | undefined>()
  let loggedIn = false
  let redeemed: Redeemed | undefined

  function onProviderEvent(event: ProviderEvent) {
    switch (event.type) {
      case "authorization_requested":
        nonces.set(`state ${event.params.state}`, event.params.nonce)
        loggedIn = false
        break
      case "user_logged_in":
        loggedIn = true
        tell(
          arrow(3, "browser", "provider", "The user logs in at the provider", [shown("user", event.account)]),
        )
        break
      case "code_issued":
        nonces.set(`code ${event.code}`, nonces.get(`state ${event.state}`))
        if (loggedIn) break
        tell(
          arrow(3, "browser", "provider", "The provider still knows the user", [
            shown("user", event.account),
          ]),
        )
        break
      case "code_redeemed":
        redeemed = event
        tell(redemption(event))
        break
      case "user_logged_out":
        tell(arrow("logout", "browser", "provider", "The provider ends its own session"))
        break
      case "refused":
        tell(arrow(0, "provider", "browser", `The provider refuses: ${event.error}`))
    }
  }

  function redemption({ code, codeVerifier, codeChallenge, clientAuthentication }: Redeemed) {
    const computed = createHash("sha256").update(codeVerifier).digest("base64url")
    return arrow(
      6,
      "backend",
      "provider",
      "The backend redeems the code with its client secret",
      [
        hidden("code", code),
        hidden("code_verifier", codeVerifier),
        hidden("client_secret", client.clientSecret),
      ],
      [
        same("S256(code_verifier)", computed, "code_challenge kept with the code", codeChallenge),
        { text: `the client proved itself by ${clientAuthentication}`, ok: clientAuthentication !== "none" },
      ],
    )
  }

  function onEvent(event: PkceEvent) {
    const id = event.session_id === undefined ? [] : [hidden("session_id", event.session_id)]
    const own = (place: 0 | 7 | "refresh" | "logout", title: string, carries = id, checks: Check[] = []) =>
      tell(arrow(place, "backend", "backend", title, carries, checks))
    switch (event.type) {
      case "auth.exchange.succeeded":
        own(7, "It validates the ID token and opens a session of its own", id, redeemed && checksOf(redeemed))
        redeemed = undefined
        break
      case "auth.exchange.failed":
        own(0, `The backend refuses the login: ${event.reason ?? "no reason given"}`)
        break
      case "session.refreshed":
        own(
          "refresh",
          event.repeat ? "A repeat: the same answer again" : "One compare-and-swap moves the line",
          [shown("generation", String(event.generation))],
        )
        break
      case "session.reuse_detected":
        own("refresh", "A second party used this credential: the session ends")
        break
      case "session.revoked":
        own("logout", "The session is revoked")
    }
  }

  /** The backend has compared these too, or there would be no session. */
  function checksOf({ idToken, accessToken, refreshToken, code }: Redeemed): Check[] {
    const claims = claimsOf(idToken)
    const secondsLeft = Number(claims.exp) - Math.round(Date.now() / 1000)
    const checks = [
      { text: `iss ${claims.iss} = the configured issuer`, ok: claims.iss === client.issuer },
      { text: `aud ${claims.aud} = the configured client id`, ok: claims.aud === client.clientId },
      same("nonce in the ID token", claims.nonce, "nonce of step 1", nonces.get(`code ${code}`)),
      { text: `exp is ${secondsLeft} s away`, ok: secondsLeft > 0 },
    ]
    if (!isSealed) return checks
    const tokens = [idToken, accessToken, ...(refreshToken === undefined ? [] : [refreshToken])]
    return [
      ...checks,
      { text: "none of the provider's tokens can be read in the database", ok: isSealed(tokens) },
    ]
  }

  return { onEvent, onProviderEvent }
}

/** For display only: the backend has verified the signature. */
const claimsOf = (jwt: string): Record<string, string> =>
  JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString())
