import { describe, expect, it } from "vitest"
import { originOf, parseForm, secureOriginOf } from "./url.js"

describe("originOf", () => {
  it.each([
    ["https://API.example.com/a", "https://api.example.com"],
    ["https://api.example.com:443", "https://api.example.com"],
    ["http://api.example.com:80?x", "http://api.example.com"],
    ["https://api.example.com:80/", "https://api.example.com:80"],
    ["http://[::1]:8080#x", "http://[::1]:8080"],
    ["https://my-api.my_team.example.com:65535/", "https://my-api.my_team.example.com:65535"],
  ])("%s", (url, origin) => {
    expect(originOf(url)).toBe(origin)
    expect(origin).toBe(new URL(url).origin)
  })

  it.each([
    "https://api.example.com@evil.example/",
    "https://api.example.com\\.evil.example/",
    "https://api.example.com\t.evil.example/",
    " https://api.example.com/",
    "https:/api.example.com/",
    "https://",
    "https://api.example.com:/",
    "https://api.example.com:443000/",
    "ftp://api.example.com/",
    "https://api.exämple.com/",
  ])("refuses %j", (url) => {
    expect(originOf(url)).toBeNull()
  })
})

it("A8 secureOriginOf lets plain http only to this machine", () => {
  expect(secureOriginOf("http://127.0.0.1:3000/auth")).toBe("http://127.0.0.1:3000")
  expect(secureOriginOf("http://192.168.0.1/auth")).toBeNull()
  expect(secureOriginOf("http://127.0.0.1@evil.example/")).toBeNull()
  expect(secureOriginOf("http://127a0.0.1/")).toBeNull()
  expect(secureOriginOf("http://127.0a0.1/")).toBeNull()
  expect(secureOriginOf("http://127.0.0a1/")).toBeNull()
})

it.each([" ", "\t", "\\", "#"])("A8 secureOriginOf takes no address with %j in it", (letter) => {
  expect(secureOriginOf(`https://api.example.com/a${letter}b`)).toBeNull()
})

it("parseForm keeps every value of every name, in their order", () => {
  expect(parseForm("a=1&b&a=2+3+4&=x&c=%3D=")).toEqual([
    ["a", "1"],
    ["b", ""],
    ["a", "2 3 4"],
    ["", "x"],
    ["c", "=="],
  ])
  expect(parseForm("a=%zz")).toBeNull()
})
