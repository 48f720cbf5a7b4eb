/** What a page may ask the main process for. No token is among the answers. */
export interface Bridge {
  /** The user's name, or `null` where nobody is signed in. */
  who(): Promise<string | null>
  login(): Promise<string>
  /** Ends a login that waits for a browser which the user has closed. */
  cancel(): Promise<string>
  me(): Promise<string>
  refresh(): Promise<string>
  devices(): Promise<string>
  logout(): Promise<string>
}

export const names = ["who", "login", "cancel", "me", "refresh", "devices", "logout"] as const
