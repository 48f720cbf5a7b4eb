import { parseIp } from "../runtime/ip.js"

/**
 * What a rate limit counts by: an IPv4 address, or the first 64 bits of an IPv6 address, since one customer holds at least
 * that many. `null` for anything that is not an address. Two spellings of one address give one prefix.
 */
export function addressPrefix(address: string | undefined): string | null {
  const bytes = parseIp(address?.replace(/^\[|\]$/g, "") ?? "")
  if (!bytes) return null
  if (bytes.length === 4) return bytes.join(".")
  // ::ffff:a.b.c.d is the IPv4 address as a dual-stack socket shows it.
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff
  if (mapped) return bytes.slice(12).join(".")
  const group = (at: number) => (((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)).toString(16)
  return `${[0, 2, 4, 6].map(group).join(":")}::/64`
}
