import { formatUserCode, userCodeText } from "@pkce/protocol"
import { s256, sha256 } from "../pkce/crypto.js"
import type { CryptoPort } from "../platforms/ports.js"

/** The code that the backend's page shows beside the app's own. */
export async function userCode(crypto: CryptoPort, loginId: string, verifier: string): Promise<string> {
  const challenge = await s256(crypto, verifier)
  return formatUserCode(await sha256(crypto, userCodeText(loginId, challenge)))
}
