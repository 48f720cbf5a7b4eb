/**
 * What the provider did, with the values as they were, so that an observer can compare them. They hold secrets: show none
 * of them whole.
 */
export type ProviderEvent =
  | { type: "authorization_requested"; params: Record<string, string> }
  | { type: "user_logged_in"; account: string }
  | { type: "code_issued"; code: string; state: string | undefined; iss: string | undefined; account: string }
  | {
      type: "code_redeemed"
      code: string
      codeVerifier: string
      codeChallenge: string
      clientAuthentication: string
      idToken: string
      accessToken: string
      refreshToken: string | undefined
    }
  | { type: "user_logged_out" }
  | { type: "refused"; endpoint: "authorization" | "token"; error: string }
