import type { Device } from "@pkce/protocol"
import type { BrowserPort, Platform } from "../platforms/ports.js"
import type { RecordStore, StoredLogin } from "../session/record.js"
import type { Repeating, repeat } from "../session/repeat.js"
import type { SignedIn } from "./exchange.js"
import type { LoginOptions, LoginResult, Prepared } from "./login.js"

/** What a flow begins a login with. */
export interface FlowInput {
  options: LoginOptions
  /** The provider's id, where one was named. */
  provider: string | undefined
  redirectUri: string
  state: string
  /** S256 of the verifier that is in `request`. */
  challenge: string
  device: Device
  /** What both flows send in the end. */
  request: { [member: string]: unknown; code_verifier: string }
}

/** A login that has begun: where the browser goes, and what the record keeps of it. */
export interface Begun
  extends Pick<StoredLogin, "path" | "request" | "parameter" | "provider" | "issuer" | "issRequired"> {
  url: string
}

/** One of the two ways to log in: the app's own, or the backend's. */
export interface LoginFlow {
  begin(input: FlowInput): Promise<Begun>
  /** In place of the platform's. */
  browser?: BrowserPort
  /** The whole login, where no callback ends it. */
  login?(
    options: LoginOptions,
    prepare: (redirectUri: string) => Promise<Prepared>,
    redeem: (login: StoredLogin) => Promise<SignedIn>,
  ): Promise<LoginResult>
  /** In place of the plain repeat, for an answer that a person has to be waited for. */
  repeat?(...asked: [...Parameters<typeof repeat>, state: string]): ReturnType<typeof repeat>
}

/** What a flow is made of. */
export interface FlowDeps extends Repeating {
  platform: Platform
  record: RecordStore
  redirectUris: readonly string[]
}
