import { parseIp } from "./ip.js"

/**
 * What an IP address may be to a backend that calls an identity provider. `never` covers what no provider can live at:
 * unspecified, multicast, reserved and documentation ranges, and the metadata services of the clouds.
 */
export type AddressKind = "public" | "private" | "loopback" | "never"

type Range = readonly [prefix: string, bits: number, kind: AddressKind]

const V4: readonly Range[] = [
  // D3: the metadata services come before the ranges that hold them.
  ["169.254.169.254", 32, "never"],
  ["100.100.100.200", 32, "never"],
  ["0.0.0.0", 8, "never"],
  ["10.0.0.0", 8, "private"],
  ["100.64.0.0", 10, "private"],
  ["127.0.0.0", 8, "loopback"],
  ["169.254.0.0", 16, "private"],
  ["172.16.0.0", 12, "private"],
  ["192.0.0.0", 24, "never"],
  ["192.0.2.0", 24, "never"],
  ["192.168.0.0", 16, "private"],
  ["198.18.0.0", 15, "never"],
  ["198.51.100.0", 24, "never"],
  ["203.0.113.0", 24, "never"],
  ["224.0.0.0", 3, "never"],
]

const V6: readonly Range[] = [
  ["fd00:ec2::254", 128, "never"],
  ["::1", 128, "loopback"],
  ["::", 96, "never"],
  ["64:ff9b:1::", 48, "private"],
  ["100::", 64, "never"],
  ["2001::", 32, "never"],
  ["2001:db8::", 32, "never"],
  ["fc00::", 7, "private"],
  ["fe80::", 9, "private"],
  ["ff00::", 8, "never"],
]

/** Where an IPv6 prefix carries an IPv4 address, which is then the one that counts: mapped, NAT64, 6to4. */
const CARRIERS: readonly (readonly [prefix: string, bits: number, at: number])[] = [
  ["::ffff:0:0", 96, 12],
  ["64:ff9b::", 96, 12],
  ["2002::", 16, 2],
]

function within(bytes: readonly number[], prefix: readonly number[], bits: number): boolean {
  for (let i = 0; i * 8 < bits; i++) {
    const mask = bits - i * 8 >= 8 ? 255 : (255 << (8 - (bits - i * 8))) & 255
    if (((bytes[i] ?? 0) & mask) !== ((prefix[i] ?? 0) & mask)) return false
  }
  return true
}

const compile = <T extends readonly [string, number, unknown]>(ranges: readonly T[]) =>
  ranges.map((range) => ({ prefix: parseIp(range[0]) ?? [], bits: range[1], value: range[2] as T[2] }))

const v4 = compile(V4)
const v6 = compile(V6)
const carriers = compile(CARRIERS)

/** The kind of an IP address in its text form, or `null` for what is no IP address (a host name). */
export function addressKind(text: string): AddressKind | null {
  const bytes = parseIp(text)
  if (bytes === null) return null
  if (bytes.length === 16) {
    const carrier = carriers.find((range) => within(bytes, range.prefix, range.bits))
    if (carrier) return addressKind(bytes.slice(carrier.value, carrier.value + 4).join("."))
  }
  const table = bytes.length === 4 ? v4 : v6
  return table.find((range) => within(bytes, range.prefix, range.bits))?.value ?? "public"
}

/** Whether the options of the client admit a connection to an IP address. */
export function addressAllowed(
  text: string,
  allow: { allowPrivateAddresses: boolean; allowLoopback: boolean },
): boolean {
  const kind = addressKind(text)
  if (kind === "private") return allow.allowPrivateAddresses
  if (kind === "loopback") return allow.allowLoopback
  return kind === "public"
}

/**
 * What is wrong with a URL before anything is resolved. Plain http is for this machine only; a literal address never
 * reaches a resolver, so it is judged here.
 */
export function urlAllowed(
  url: URL,
  allow: { allowPrivateAddresses: boolean; allowLoopback: boolean },
): boolean {
  const host = bareHost(url)
  const local = host === "localhost" || addressKind(host) === "loopback"
  if (url.protocol === "http:" ? !(local && allow.allowLoopback) : url.protocol !== "https:") return false
  return addressKind(host) === null || addressAllowed(host, allow)
}

/** The host of a URL as a resolver wants it: an IPv6 address without its brackets, no root dot. */
export const bareHost = (url: URL): string => url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "")
