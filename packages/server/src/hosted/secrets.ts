import { formatUserCode, toBase64url, userCodeText } from "@pkce/protocol"
import { hmac, s256, sha256 } from "#crypto"
import { lengthPrefixed } from "../vault/fields.js"
import type { KeyRing } from "../vault/types.js"

/** What the backend needs on its own leg to the provider. Each is made for one login and one browser. */
export interface FlowSecrets {
  /** `<login_id>.<MAC>`: leads the callback to the login, and is of use to the browser with the flow cookie alone. */
  state: string
  nonce: string
  codeVerifier: string
  /** Beside the button of the poll delivery: proves that this very browser was shown the page. */
  confirm: string
}

/**
 * The secrets of a hosted login, derived and never stored: from the login, and on the browser's leg from the flow cookie
 * too. Two browsers that open one login have two sets, so neither can finish what the other began (RFC 9700 section 4.7).
 */
export function createHostedSecrets(ring: KeyRing) {
  async function derive(kid: string, ...fields: string[]): Promise<string> {
    return toBase64url(await hmac(await ring.hmac(kid, "hosted"), lengthPrefixed(...fields)))
  }
  return {
    async flow(kid: string, loginId: string, cookie: string): Promise<FlowSecrets> {
      const [mac, nonce, codeVerifier, confirm] = await Promise.all(
        ["state", "nonce", "verifier", "confirm"].map((purpose) => derive(kid, purpose, loginId, cookie)),
      )
      return {
        state: `${loginId}.${mac}`,
        nonce: String(nonce),
        codeVerifier: String(codeVerifier),
        confirm: String(confirm),
      }
    },
    /** S256 (RFC 7636 section 4.2). */
    challengeOf: async (codeVerifier: string): Promise<string> => s256(codeVerifier),
    /** J4: 256 bits that nobody can guess, and a repeated callback finds again. */
    handoff: (kid: string, loginId: string): Promise<string> => derive(kid, "handoff", loginId),
  }
}

export type HostedSecrets = ReturnType<typeof createHostedSecrets>

/** The login that a `state` of ours names; `null` for what is none. */
export const loginOfState = (state: string): string | null =>
  /^([\w-]{22})\.[\w-]{43}$/.exec(state)?.[1] ?? null

/** The code that the page of the poll delivery shows, and the app too. */
export const userCode = async (loginId: string, challenge: string): Promise<string> =>
  formatUserCode(await sha256(userCodeText(loginId, challenge)))
