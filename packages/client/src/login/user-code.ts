import { formatUserCode, userCodeText } from "@pkce/protocol"
import { s256 } from "../pkce/crypto.js"
import type { CryptoPort } from "../platforms/ports.js"

const ascii = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0))

/** The code that the backend's page shows beside the app's own. */
export async function userCode(crypto: CryptoPort, loginId: string, verifier: string): Promise<string> {
  const challenge = await s256(crypto, verifier)
  return formatUserCode(await crypto.sha256(ascii(userCodeText(loginId, challenge))))
}
