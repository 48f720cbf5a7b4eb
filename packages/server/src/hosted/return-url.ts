/** What a hosted login hands to the app: a handoff, or the reason why there is none. */
export type Returned = { handoff: string } | { error: "access_denied" | "server_error" }

/** What goes back to the app, by whatever way: `state` is the app's own, `iss` says who speaks (RFC 9207). */
export const answerOf = (returned: Returned, state: string, iss: string) => ({ ...returned, state, iss })

/**
 * The app's redirect URI with the answer in its query. The URI is one of a fixed list and was compared whole (J1); its own
 * query stays (RFC 6749 section 3.1.2), and a custom scheme is not parsed: `URL` would rewrite it.
 */
export function returnUrl(redirectUri: string, answer: Record<string, string>): string {
  const text = Object.entries(answer).map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
  return `${redirectUri}${redirectUri.includes("?") ? "&" : "?"}${text.join("&")}`
}

/** A loopback listener takes a plain redirect; nothing can block it (RFC 8252 section 7.3). */
export const isLoopback = (uri: string): boolean =>
  /^http:\/\/(127\.0\.0\.1|\[::1\]|localhost)[:/?]/.test(`${uri}/`)
