import { toBase64url } from "@pkce/protocol"
import type { CryptoPort } from "../platforms/ports.js"

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

const ascii = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0))

/** The code that the backend's page shows beside the app's own: 40 bits of the login and of the app's challenge. */
export async function userCode(crypto: CryptoPort, loginId: string, verifier: string): Promise<string> {
  const challenge = toBase64url(await crypto.sha256(ascii(verifier)))
  const hash = await crypto.sha256(ascii(`pkce-code.${loginId}.${challenge}`))
  const bits = Array.from(hash.subarray(0, 5), (byte) => byte.toString(2).padStart(8, "0")).join("")
  const code = bits.replace(/.{5}/g, (five) => CROCKFORD.charAt(Number.parseInt(five, 2)))
  return `${code.slice(0, 4)}-${code.slice(4)}`
}
