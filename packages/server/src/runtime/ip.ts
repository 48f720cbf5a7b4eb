/** The longest text of an address is an IPv4-mapped one in full: 45 characters, and a zone. */
const LONGEST = 64

/** The 4 or 16 bytes of an IP address in its text form (RFC 4291 section 2.2), or `null` for what is none. */
export function parseIp(text: string): number[] | null {
  if (text.length > LONGEST) return null
  return text.includes(":") ? parseV6(text) : parseV4(text)
}

function parseV4(text: string): number[] | null {
  const parts = text.split(".")
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part))) return null
  const bytes = parts.map(Number)
  return bytes.every((byte) => byte < 256) ? bytes : null
}

function parseV6(text: string): number[] | null {
  // A zone id ("fe80::1%eth0") names a network card, not an address.
  const address = text.replace(/%.*$/, "")
  const tail = address.slice(address.lastIndexOf(":") + 1)
  const v4 = tail.includes(".") ? parseV4(tail) : null
  if (tail.includes(".") && v4 === null) return null
  const hex = (pair: readonly number[]) => (((pair[0] ?? 0) << 8) | (pair[1] ?? 0)).toString(16)
  const plain = v4 === null ? address : `${address.slice(0, -tail.length)}${hex(v4)}:${hex(v4.slice(2))}`
  const halves = plain.split("::")
  if (halves.length > 2) return null
  const groups = (half: string | undefined) => (half ? half.split(":") : [])
  const left = groups(halves[0])
  const right = groups(halves[1])
  const gap = 8 - left.length - right.length
  if (halves.length === 2 ? gap < 1 : gap !== 0) return null
  const all = [...left, ...Array<string>(gap).fill("0"), ...right]
  if (!all.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return null
  return all.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255])
}
