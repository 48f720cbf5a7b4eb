/** Base64url without padding (RFC 7636 Appendix A). Needs no `btoa` and no `Buffer`. */
export function toBase64url(bytes: Uint8Array): string {
  let text = ""
  // Six bits at a time, out of the two bytes in which they lie.
  for (let bit = 0; bit < bytes.length * 8; bit += 6) {
    const at = bit >> 3
    const pair = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
    text += characterOf((pair >> (10 - (bit & 7))) & 63)
  }
  return text
}

// Table 2 of RFC 4648, as arithmetic: it takes less room than the letters.
const characterOf = (sextet: number): string =>
  String.fromCharCode(
    sextet < 26 ? sextet + 65 : sextet < 52 ? sextet + 71 : sextet < 62 ? sextet - 4 : sextet > 62 ? 95 : 45,
  )

/**
 * The bytes of a canonical base64url text, or `null` for anything else: padding, foreign characters,
 * an impossible length, or unused bits that are not zero (two texts must never mean the same bytes).
 */
export function fromBase64url(text: string): Uint8Array | null {
  const rest = text.length % 4
  if (rest === 1) return null
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4))
  let bits = 0
  let held = 0
  let at = 0
  for (let i = 0; i < text.length; i++) {
    const value = sextetOf(text.charCodeAt(i))
    if (value < 0) return null
    held = (held << 6) | value
    bits += 6
    if (bits >= 8) {
      bits -= 8
      bytes[at++] = held >> bits
      held &= (1 << bits) - 1
    }
  }
  return held === 0 ? bytes : null
}

// Arithmetic, for it runs over every character of every token: a search through the alphabet costs several times as much.
function sextetOf(code: number): number {
  if (code >= 97) return code <= 122 ? code - 71 : -1
  if (code >= 65) return code <= 90 ? code - 65 : code === 95 ? 63 : -1
  if (code >= 48) return code <= 57 ? code + 4 : -1
  return code === 45 ? 62 : -1
}
