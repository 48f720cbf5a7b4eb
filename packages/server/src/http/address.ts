import { addressKind } from "../runtime/addresses.js"
import { parseIp } from "../runtime/ip.js"
import type { HttpRequest } from "./message.js"

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

/** The address as the team's own function reads it; what that throws must not fail the request. */
export function addressBy<T>(read: (from: T) => string | undefined, from: T): string | undefined {
  try {
    return read(from)
  } catch {
    return undefined
  }
}

const MEND = "let the mount know it (trust proxy, or clientAddress), or say rateLimit: false"

/**
 * Why counting by this request's address would not do what it is for, or `null` (C13). Behind a proxy that is not known as
 * one, all clients are one address, and the failures of any of them shut all of them out.
 */
export function addressDoubt({ address, header }: HttpRequest): string | null {
  if (address === undefined) return `the client's address is unknown, so nothing limits its failures: ${MEND}`
  const kind = addressKind(address)
  const forwarded = header("x-forwarded-for") ?? header("forwarded")
  return forwarded !== undefined && (kind === "private" || kind === "loopback")
    ? `the rate limit counts a proxy in place of its clients: ${MEND}`
    : null
}
