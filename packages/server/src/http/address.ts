import { addressKind } from "../runtime/addresses.js"
import { parseIp } from "../runtime/ip.js"
import type { HttpRequest } from "./message.js"

/** 4 or 16 bytes, or `null`: the function that gave the address may be a team's own, and untyped. */
function bytesOf(address: string | undefined): number[] | null {
  const bytes = typeof address === "string" ? parseIp(address.replace(/^\[|\]$/g, "")) : null
  if (bytes?.length !== 16) return bytes
  // ::ffff:a.b.c.d is the IPv4 address as a dual-stack socket shows it.
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff
  return mapped ? bytes.slice(12) : bytes
}

const groups = (bytes: readonly number[], count: number): string[] =>
  Array.from({ length: count }, (_, at) =>
    (((bytes[2 * at] ?? 0) << 8) | (bytes[2 * at + 1] ?? 0)).toString(16),
  )

/**
 * What a rate limit counts by: an IPv4 address, or the first 64 bits of an IPv6 address, since one customer holds at least
 * that many. `null` for anything that is not an address. Two spellings of one address give one prefix.
 */
export function addressPrefix(address: string | undefined): string | null {
  const bytes = bytesOf(address)
  if (!bytes) return null
  return bytes.length === 4 ? bytes.join(".") : `${groups(bytes, 4).join(":")}::/64`
}

/**
 * F14: what a list of devices may show of an address: the first 24 bits of an IPv4 address, the first 48 of an IPv6 one, in
 * the text form of RFC 5952. `null` for anything that is not an address.
 */
export function networkOf(address: string | undefined): string | null {
  const bytes = bytesOf(address)
  if (!bytes) return null
  if (bytes.length === 4) return `${bytes.slice(0, 3).join(".")}.0`
  const prefix = groups(bytes, 3).join(":")
  return `${prefix.replace(/(^|:)0(:0)*$/, "")}::`
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
