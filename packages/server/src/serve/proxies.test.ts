import { expect, it } from "vitest"
import { addressBehind } from "./proxies.js"

const read = (proxies: number, forwarded?: string | string[]) =>
  addressBehind(proxies)({ headers: { "x-forwarded-for": forwarded } } as never)

it.each<[string, number, string | string[] | undefined, string | undefined]>([
  ["C13: without a proxy the header is anybody's word", 0, "192.0.2.1", undefined],
  ["one proxy has added the address that it was called from", 1, "192.0.2.1", "192.0.2.1"],
  ["C13: what stands before that was sent by the client", 1, "10.0.0.1, 192.0.2.1", "192.0.2.1"],
  ["two proxies have added two", 2, "6.6.6.6, 192.0.2.1, 10.0.0.2", "192.0.2.1"],
  ["fewer than there should be: the one furthest away", 3, "192.0.2.1, 10.0.0.2", "192.0.2.1"],
  ["the header is there twice", 2, ["6.6.6.6, 192.0.2.1", "10.0.0.2"], "192.0.2.1"],
  ["no header: the connection's address counts", 1, undefined, undefined],
  ["an empty one", 1, "", undefined],
  ["a port, which Azure adds", 1, "192.0.2.1:4711", "192.0.2.1"],
  ["IPv6 in brackets, with a port", 1, "[2001:db8::1]:4711", "2001:db8::1"],
  ["IPv6 in brackets", 1, "[2001:db8::1]", "2001:db8::1"],
  ["IPv6", 1, "2001:db8::1", "2001:db8::1"],
])("%s", (_, proxies, forwarded, address) => {
  expect(read(proxies, forwarded)).toBe(address)
})
