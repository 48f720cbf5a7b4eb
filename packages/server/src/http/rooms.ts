import type { Config } from "../config/config.js"
import type { Emit } from "../events.js"
import type { Provider } from "../provider/types.js"
import type { SessionLine, SessionTokens } from "../session/types.js"
import type { Store } from "../stores/contract.js"
import type { ProviderGrants } from "../vault/provider-grants.js"
import type { KeyRing, Vault } from "../vault/types.js"
import type { EndLater } from "./persistent-revocations.js"

/** What the use cases work with. server.ts makes it; a test may put a fake into any place. */
export interface Rooms {
  config: Config
  providers: { readonly list: readonly Provider[]; get(id: string): Provider | undefined }
  ring: KeyRing
  vault: Vault
  tokens: SessionTokens
  grants: ProviderGrants
  line: SessionLine
  /** Guarded: a failure is already `PkceError("unavailable")` and told as an event. */
  store: Store
  /** F12: ends sessions as soon as the store can, for a caller that is answered 503 now. */
  endLater: EndLater
  emit: Emit
  /** Ends a session durably, here and in the store, and tells it. True where it was live. */
  endSession(sid: string, reason: string): Promise<boolean>
  /** For events: 16 hexadecimal digits, keyed. */
  fingerprint(value: string): Promise<string>
  /** Seconds since the epoch, of this process. Judges nothing that the store's clock can judge. */
  now(): number
}
