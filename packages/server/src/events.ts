/**
 * What `onEvent` receives. No event carries a token, a code, a verifier, a secret or a provider's text:
 * `reason` comes from a closed vocabulary, `code_fp` is a keyed fingerprint.
 */
export type PkceEvent = {
  /** Seconds since the epoch. */
  at: number
  /** The `error_id` that the client saw, where it saw one. */
  error_id?: string
  provider?: string
  session_id?: string
  sub?: string
  reason?: string
} & (
  | { type: "auth.exchange.succeeded" }
  /** `reason` says why: `invalid_grant`, `id_token_nonce_mismatch`, `userinfo_sub_mismatch`, ... */
  | { type: "auth.exchange.failed"; code_fp?: string }
  /** A code came again with another verifier, challenge or redirect URI. The provider was not asked. */
  | { type: "auth.exchange.code_replay"; code_fp?: string }
  | { type: "auth.request.refused"; code: string }
  | { type: "auth.hosted.started"; delivery: "redirect" | "webview" | "poll" }
  /** A hosted login came to nothing: at the provider, at the callback, or because a handoff was not its bearer's. */
  | { type: "auth.hosted.failed" }
  | { type: "session.refreshed"; generation: number; repeat: boolean; forward: boolean }
  /** Two parties used one generation of the line. The session is revoked. */
  | { type: "session.reuse_detected"; generation: number; row_generation: number }
  /** A refresh token that is bound to a cookie came without it: a copy of the storage, or a cookie that was deleted. */
  | { type: "session.cookie_refused" }
  | { type: "session.revoked" }
  | { type: "idp.metadata.issuer_mismatch" }
  | { type: "idp.metadata.changed" }
  /** The provider's metadata does not list S256 (RFC 8414 section 2). PKCE is sent all the same. */
  | { type: "idp.metadata.pkce_not_advertised" }
  | { type: "idp.jwks.key_refused"; count: number }
  | { type: "idp.unavailable" }
  /** A token or a sealed value names a key that this process does not have. Nothing is ended or deleted for it. */
  | { type: "keyring.missing"; kid: string }
  /** The key provider threw, did not answer in time, or gave what is no key. */
  | { type: "keyring.failed" }
  | { type: "store.failed" }
  /** A sealed value of this session does not open: it was changed, cut, or moved from another row. It is kept. */
  | { type: "store.tamper" }
  | { type: "idp.refresh.succeeded" }
  /** `reason` says why. The session goes on. */
  | { type: "idp.refresh.failed" }
  /** The refreshed ID token is of another user or login. Nothing of it was stored; the session is revoked. */
  | { type: "idp.refresh.identity_changed" }
  /** The refresh token was spent and its successor never arrived. The session goes on without the provider's tokens. */
  | { type: "idp.grant.lost" }
  /** The provider refused the refresh token twice: the user was disabled, or took the consent back. */
  | { type: "idp.grant.revoked" }
  /** The refresh token of an ended session could not be revoked at the provider (RFC 7009). */
  | { type: "idp.revocation.failed" }
  /** The provider failed again and again: for `seconds` it is not asked to refresh. */
  | { type: "idp.circuit.opened"; seconds: number }
  | { type: "idp.circuit.closed" }
  /** A logout token was acted upon; `repeat` where the same one had come before. */
  | { type: "auth.backchannel_logout.succeeded"; sessions: number; repeat: boolean }
  | { type: "auth.backchannel_logout.failed" }
)

/** An event without its time, which is added where it is sent. */
export type PkceEventInput = PkceEvent extends infer E ? (E extends unknown ? Omit<E, "at"> : never) : never

export type Emit = (event: PkceEventInput) => void
