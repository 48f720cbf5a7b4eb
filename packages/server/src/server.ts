import type { Config } from "./config/config.js"
import { processEnvironment } from "./config/environment.js"
import type { PkceServerOptions } from "./config/options.js"
import { resolveConfig } from "./config/resolve.js"
import { callHook, createEmit } from "./emit.js"
import { createApi } from "./http/api.js"
import { guardStore } from "./http/guarded-store.js"
import { persistRevocations } from "./http/persistent-revocations.js"
import { createProviders } from "./provider/providers.js"
import type { PkceServer } from "./server-types.js"
import { createSessionLine } from "./session/line.js"
import { createSessionTokens } from "./session/tokens.js"
import { createTelemetry } from "./telemetry/telemetry.js"
import { createBackgroundRefresh } from "./vault/background-refresh.js"
import { fingerprint } from "./vault/fingerprint.js"
import { createKeyRing } from "./vault/keyring.js"
import { createProviderGrants } from "./vault/provider-grants.js"
import { createVault } from "./vault/seal.js"

/** Milliseconds that `close` waits for what is under way at the providers. */
const CLOSING = 25_000

/**
 * Makes the backend's half of the login: mount it, and guard your own routes with `requireSession`. With no options, or
 * with options that name no provider, it reads `PKCE_*` from the environment. Nothing is fetched before the first request.
 *
 * @throws {@link ConfigurationError} with every fault at once, and how to mend each
 * @example
 * ```ts
 * const auth = createPkceServer({
 *   issuer: "https://tenant.auth0.com/",
 *   clientId: process.env.CLIENT_ID,
 *   clientSecret: process.env.CLIENT_SECRET,
 *   redirectUris: ["com.example.app://auth/callback"],
 *   secrets: [process.env.PKCE_SECRET],
 *   store: sqliteStore(new Database("auth.db")),
 * })
 * ```
 */
export function createPkceServer(options?: PkceServerOptions): PkceServer {
  return serverOf(resolveConfig(options, processEnvironment()))
}

/** The same of a configuration that has been read already. */
export function serverOf(config: Config): PkceServer {
  const telemetry = createTelemetry(config.openTelemetry)
  const emit = telemetry.emit(createEmit(config.onEvent))
  const guarded = telemetry.store(guardStore(config.store, emit))
  const quiet = guardStore(config.store, () => undefined)
  const revocations = persistRevocations(guarded, quiet, {
    refuse: (sid) => tokens.forget(sid),
    onEnded(ended, reason) {
      emit({ type: "session.revoked", ...ended, reason })
      // The alarm of the line, which could not tell it: its own revocation had failed.
      if (reason === "reuse" && ended.sub !== undefined)
        callHook(config.onReuse, { session_id: ended.session_id, sub: ended.sub })
    },
  })
  const { store, endLater } = revocations
  const providers = createProviders(config, emit, undefined, telemetry.http)
  const ring = createKeyRing(config.secrets, config.retiredKids)
  const line = createSessionLine({
    ring,
    store,
    emit,
    idleSeconds: config.session.idleLifetime,
    onReuse: ({ row, ...reuse }) => {
      tokens.forget(reuse.session_id)
      grants.revokeLater(row)
      return config.onReuse(reuse)
    },
  })
  const tokens = createSessionTokens({ session: config.session, ring })
  const vault = createVault(ring, { keyProvider: config.keyProvider, emit })
  const now = () => Math.floor(Date.now() / 1000)
  async function endSession(sid: string, reason: string): Promise<boolean> {
    const ended = await store.revoke(sid, reason)
    tokens.forget(sid)
    if (ended) emit({ type: "session.revoked", session_id: sid, reason })
    return ended
  }
  const { onProviderGrantRevoked } = config
  const grants = createProviderGrants({
    ...{ store, vault, providers, emit, endSession, onProviderGrantRevoked, now },
    pause: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  })
  const background = createBackgroundRefresh(store, grants)
  // F11: what another process ends is refused here too, from the moment that the store tells.
  const stopListening = config.store.onRevoked?.(tokens.forget)
  return createApi(
    {
      config,
      providers,
      ring,
      vault,
      tokens,
      grants,
      line,
      store,
      endLater,
      emit,
      fingerprint: (value) => fingerprint(ring, value),
      endSession,
      now,
    },
    background,
    async () => {
      stopListening?.()
      revocations.close()
      // R25: what a provider has issued is saved before the connections go.
      await within(CLOSING, Promise.all([background.close(), grants.settled()]))
      await providers.close()
      await config.store.close?.()
    },
    telemetry,
  )
}

async function within(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds)
  })
  await Promise.race([work, late])
  clearTimeout(timer)
}
