/** A person as the login page knows them: by the name that was typed, and by nothing else. */
export interface Person {
  sub: string
  name: string
  preferred_username: string
  email: string
  email_verified: boolean
}

/**
 * What was typed becomes an account: lower case, words joined by dots. `null` where nothing is left of it.
 *
 * @example
 * ```ts
 * accountOf("Ada Lovelace") // "ada.lovelace"
 * ```
 */
export function accountOf(typed: string): string | null {
  const words = typed
    .normalize("NFKC")
    .toLowerCase()
    .match(/[\p{L}\p{N}]+/gu)
  return words?.join(".").slice(0, 64) ?? null
}

export function personOf(account: string): Person {
  const words = account.split(".").map((word) => word.charAt(0).toUpperCase() + word.slice(1))
  return {
    sub: account,
    name: words.join(" "),
    preferred_username: account,
    email: `${account}@example.test`,
    email_verified: true,
  }
}
