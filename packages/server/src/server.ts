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
import { fingerprint } from "./vault/fingerprint.js"
import { createKeyRing } from "./vault/keyring.js"
import { createVault } from "./vault/seal.js"

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
  const config = resolveConfig(options, processEnvironment())
  const emit = createEmit(config.onEvent)
  const quiet = guardStore(config.store, () => undefined)
  const revocations = persistRevocations(guardStore(config.store, emit), quiet, {
    refuse: (sid) => tokens.forget(sid),
    onEnded({ sid, sub }, reason) {
      emit({ type: "session.revoked", session_id: sid, sub, reason })
      // The alarm of the line, which could not tell it: its own revocation had failed.
      if (reason === "reuse") callHook(config.onReuse, { session_id: sid, sub })
    },
  })
  const { store, endLater } = revocations
  const providers = createProviders(config, emit)
  const ring = createKeyRing(config.secrets, config.retiredKids)
  const line = createSessionLine({
    ring,
    store,
    emit,
    idleSeconds: config.session.idleLifetime,
    onReuse: (reuse) => {
      tokens.forget(reuse.session_id)
      return config.onReuse(reuse)
    },
  })
  const tokens = createSessionTokens({ session: config.session, ring })
  // F11: what another process ends is refused here too, from the moment that the store tells.
  const stopListening = config.store.onRevoked?.(tokens.forget)
  return createApi(
    {
      config,
      providers,
      ring,
      vault: createVault(ring),
      tokens,
      line,
      store,
      endLater,
      emit,
      fingerprint: (value) => fingerprint(ring, value),
      now: () => Math.floor(Date.now() / 1000),
    },
    async () => {
      stopListening?.()
      revocations.close()
      await providers.close()
      await config.store.close?.()
    },
  )
}
