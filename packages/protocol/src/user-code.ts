const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

/** The ASCII text whose SHA-256 {@link formatUserCode} takes. Only the starter of the login could choose the challenge. */
export const userCodeText = (loginId: string, challenge: string): string =>
  `pkce-code.${loginId}.${challenge}`

/**
 * The short code of a login by poll, which page and app both show (RFC 8628 section 3.3.1): the first 40 bits of the hash in
 * Crockford's base32, `XXXX-XXXX`.
 */
export function formatUserCode(hash: Uint8Array): string {
  const bits = Array.from(hash.subarray(0, 5), (byte) => byte.toString(2).padStart(8, "0")).join("")
  const code = bits.replace(/.{5}/g, (five) => CROCKFORD.charAt(Number.parseInt(five, 2)))
  return `${code.slice(0, 4)}-${code.slice(4)}`
}
