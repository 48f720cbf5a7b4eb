import type { Config } from "../config/config.js"
import type { Emit } from "../events.js"
import type { Provider } from "../provider/types.js"
import type { SessionLine, SessionTokens } from "../session/types.js"
import type { Store } from "../stores/contract.js"
import type { KeyRing, Vault } from "../vault/types.js"

/** What the use cases work with. server.ts makes it; a test may put a fake into any place. */
export interface Rooms {
  config: Config
  providers: { readonly list: readonly Provider[]; get(id: string): Provider | undefined }
  ring: KeyRing
  vault: Vault
  tokens: SessionTokens
  line: SessionLine
  /** Guarded: a failure is already `PkceError("unavailable")` and told as an event. */
  store: Store
  /** F12: ends a session as soon as the store can, for a caller that is answered 503 now. */
  endLater(sid: string, reason: string): void
  emit: Emit
  /** For events: 16 hexadecimal digits, keyed. */
  fingerprint(value: string): Promise<string>
  /** Seconds since the epoch, of this process. Judges nothing that the store's clock can judge. */
  now(): number
}
