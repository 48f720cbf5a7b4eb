import { type StartAnswer, toBase64url } from "@pkce/protocol"
import { randomBytes } from "#crypto"
import type { HostedConfig } from "../../config/config.js"
import { PkceError } from "../../errors.js"
import { LOGIN_LIFETIME, type LoginRecords } from "../../hosted/records.js"
import type { Provider } from "../../provider/types.js"
import { networkOf } from "../address.js"
import { createFloodLimit } from "../flood-limit.js"
import type { Rooms } from "../rooms.js"
import type { Parsed, startRequest } from "../schemas.js"
import { chooseProvider } from "./choose-provider.js"
import type { Caller } from "./open-session.js"

export type Start = Parsed<typeof startRequest>

/** With where it came from, which no client can claim. */
type Started = Omit<Start, "device"> & { device: NonNullable<Start["device"]> & { ip?: string } }

/** Seconds between two polls. */
const POLL_INTERVAL = 2

/** Begins a hosted login: remembers who may take it, and where it may go. Grants nothing. */
export function createHostedStart(rooms: Rooms, hosted: HostedConfig, records: LoginRecords) {
  const { providers, ring, config, emit } = rooms
  // Each login that was started stands in the store for ten minutes.
  const limit = createFloodLimit(config)

  function checkTarget({ delivery, redirect_uri }: Start, provider: Provider): void {
    if (!hosted.deliveries.includes(delivery))
      throw new PkceError("invalid_request", { description: "This delivery is not offered." })
    if (redirect_uri === undefined ? delivery === "redirect" : delivery === "poll")
      throw new PkceError("invalid_request", { description: "Missing or malformed: redirect_uri." })
    if (redirect_uri === undefined) return
    // J1, J2: one of a fixed list, compared whole, and what is compared is what is used.
    const allowed =
      delivery === "webview"
        ? hosted.origins.includes(redirect_uri)
        : provider.allowsRedirectUri(redirect_uri)
    if (!allowed) throw new PkceError("redirect_uri_not_allowed")
  }

  return async (request: Start, { clientAddress }: Caller = {}): Promise<StartAnswer> => {
    const ip = networkOf(clientAddress)
    const input: Started = { ...request, device: { ...request.device, ...(ip !== null && { ip }) } }
    const provider = chooseProvider(providers, input.provider)
    checkTarget(input, provider)
    limit(clientAddress)

    const loginId = toBase64url(randomBytes(16))
    await records.started.add(loginId, {
      provider: provider.id,
      delivery: input.delivery,
      redirectUri: input.redirect_uri ?? null,
      state: input.state,
      challenge: input.code_challenge,
      device: input.device,
      ...(input.login_hint !== undefined && { loginHint: input.login_hint }),
      ...(input.ui_locales !== undefined && { uiLocales: input.ui_locales }),
      kid: await ring.active(),
    })
    emit({ type: "auth.hosted.started", provider: provider.id, delivery: input.delivery })
    return {
      login_id: loginId,
      authorize_url: `${hosted.url}/login/${loginId}`,
      expires_in: LOGIN_LIFETIME,
      poll_interval: POLL_INTERVAL,
    }
  }
}
