import { describe, expect, it } from "vitest"
import { addressAllowed, addressKind, urlAllowed } from "./addresses.js"

describe("D3 addresses", () => {
  it.each([
    ["93.184.216.34", "public"],
    ["172.15.255.255", "public"],
    ["172.32.0.0", "public"],
    ["2606:4700::1111", "public"],
    ["::ffff:93.184.216.34", "public"],
    ["10.0.0.1", "private"],
    ["100.64.0.1", "private"],
    ["172.16.0.1", "private"],
    ["172.31.255.255", "private"],
    ["192.168.1.1", "private"],
    ["169.254.1.1", "private"],
    ["fc00::1", "private"],
    ["fdff::1", "private"],
    ["fe80::1%eth0", "private"],
    ["fec0::1", "private"],
    ["::ffff:10.0.0.1", "private"],
    ["::ffff:c0a8:101", "private"],
    ["64:ff9b::10.0.0.1", "private"],
    ["64:ff9b:1::1", "private"],
    ["2002:a00:1::", "private"],
    ["127.0.0.1", "loopback"],
    ["127.255.255.255", "loopback"],
    ["::1", "loopback"],
    ["0:0:0:0:0:0:0:1", "loopback"],
    ["::ffff:127.0.0.1", "loopback"],
    ["64:ff9b::7f00:1", "loopback"],
    ["169.254.169.254", "never"],
    ["::ffff:169.254.169.254", "never"],
    ["fd00:ec2::254", "never"],
    ["0.0.0.0", "never"],
    ["::", "never"],
    ["::7f00:1", "never"],
    ["224.0.0.1", "never"],
    ["255.255.255.255", "never"],
    ["ff02::1", "never"],
    ["2001:db8::1", "never"],
    ["2001::1", "never"],
  ])("%s is %s", (address, kind) => {
    expect(addressKind(address)).toBe(kind)
  })

  it.each([
    "example.com",
    "256.0.0.1",
    "1.2.3",
    "01.2.3.4",
    "1:2:3",
    "::1::",
    "g::1",
    "1:2:3:4:5:6:7:8:9",
    ":::",
    "",
  ])("%j is no address", (text) => {
    expect(addressKind(text)).toBeNull()
  })

  it("admits private and loopback addresses only where they are allowed, and metadata services never", () => {
    const nothing = { allowPrivateAddresses: false, allowLoopback: false }
    const everything = { allowPrivateAddresses: true, allowLoopback: true }
    const judge = (allow: typeof nothing) =>
      ["10.0.0.1", "127.0.0.1", "169.254.169.254", "93.184.216.34"].map((address) =>
        addressAllowed(address, allow),
      )
    expect(judge(nothing)).toEqual([false, false, false, true])
    expect(judge(everything)).toEqual([true, true, false, true])
  })

  it("admits plain http to this machine only, and no other scheme", () => {
    const allow = { allowPrivateAddresses: true, allowLoopback: true }
    const judge = (url: string) => urlAllowed(new URL(url), allow)
    expect(judge("http://127.0.0.1:8080/")).toBe(true)
    expect(judge("http://[::1]/")).toBe(true)
    expect(judge("http://localhost/")).toBe(true)
    expect(judge("http://0x7f.1/")).toBe(true)
    expect(judge("http://10.0.0.1/")).toBe(false)
    expect(judge("http://example.com/")).toBe(false)
    expect(judge("ftp://127.0.0.1/")).toBe(false)
    expect(judge("https://10.0.0.1/")).toBe(true)
    expect(urlAllowed(new URL("http://127.0.0.1/"), { ...allow, allowLoopback: false })).toBe(false)
    expect(urlAllowed(new URL("https://[::ffff:a00:1]/"), { ...allow, allowPrivateAddresses: false })).toBe(
      false,
    )
  })
})
