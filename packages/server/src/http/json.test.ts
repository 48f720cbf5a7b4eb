import { describe, expect, it } from "vitest"
import { isWellFormed, parseJsonBody } from "./json.js"

const parse = (text: string) => parseJsonBody(new TextEncoder().encode(text))

describe("C9: the body's text", () => {
  it.each([
    ["a name twice", '{"a":1,"a":2}'],
    ["a name twice, spelled in two ways", '{"a":1,"\\u0061":2}'],
    ["a name twice, deeper", '{"x":[{"a":1,"a":2}]}'],
    ["__proto__", '{"__proto__":{"polluted":true}}'],
    ["__proto__, spelled out", '{"\\u005f_proto__":{"polluted":true}}'],
    ["nine levels", `${'{"a":'.repeat(9)}1${"}".repeat(9)}`],
    ["a lone high surrogate", '{"a":"\\ud800"}'],
    ["a lone low surrogate", '{"a":"x\\udc00"}'],
    ["a lone surrogate in a name", '{"\\ud800":1}'],
    ["two high surrogates", '{"a":"\\ud83d\\ud83d"}'],
    ["an array", "[1]"],
    ["a text", '"a"'],
    ["nothing", ""],
    ["a comment", "{/**/}"],
    ["a trailing comma", '{"a":1,}'],
    ["a control character", '{"a":"\n"}'],
  ])("refuses %s", (_, text) => {
    expect(parse(text)).toBeNull()
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  it.each([
    [[0xff]],
    [[0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d]],
    [[0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]],
  ])("refuses bytes that are no UTF-8: %j", (bytes) => {
    expect(parseJsonBody(Uint8Array.from(bytes))).toBeNull()
  })

  it("takes what is good, eight levels and pairs of surrogates included", () => {
    expect(parse('{"a":"😀\\ud83d\\ude00","b":[{"a":1},{"a":2}]}')).toEqual({
      a: "😀😀",
      b: [{ a: 1 }, { a: 2 }],
    })
    expect(parse(`${'{"a":'.repeat(8)}1${"}".repeat(8)}`)).not.toBeNull()
  })
})

it("a value that was parsed elsewhere is judged the same way", () => {
  expect(isWellFormed({ a: ["ok", { b: "😀" }] })).toBe(true)
  expect(isWellFormed({ a: ["\udc00"] })).toBe(false)
  expect(isWellFormed({ "\ud800": 1 })).toBe(false)
  const endless: { self?: unknown } = {}
  endless.self = endless
  expect(isWellFormed(endless)).toBe(false)
})
