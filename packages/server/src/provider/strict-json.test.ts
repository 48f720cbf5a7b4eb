import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { parseObject } from "./strict-json.js"

const parse = (text: string, maxDepth?: number) => parseObject(new TextEncoder().encode(text), maxDepth)

describe("strict JSON", () => {
  it("reads every object that JSON can spell", () => {
    const value = fc.dictionary(
      fc.string({ unit: "binary" }).filter((name) => name !== "__proto__"),
      fc.jsonValue({ maxDepth: 5 }).filter((member) => !JSON.stringify(member).includes("__proto__")),
    )
    fc.assert(
      fc.property(value, fc.nat(3), (object, indent) => {
        const text = JSON.stringify(object, null, indent)
        expect(parse(text)).toEqual(JSON.parse(text))
      }),
    )
  })

  it("answers any bytes with an object or null", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.string().map((text) => new TextEncoder().encode(text)),
        ),
        (bytes) => {
          const value = parseObject(bytes)
          expect(value === null || (typeof value === "object" && !Array.isArray(value))).toBe(true)
        },
      ),
    )
  })

  it.each([
    ["a name twice", '{"a":1,"a":2}'],
    ["a name twice, once escaped", '{"a":1,"\\u0061":2}'],
    ["a name twice further in", '{"x":[{"a":1,"b":{},"a":2}]}'],
    ["__proto__", '{"__proto__":{}}'],
    ["__proto__ escaped", '{"__proto\\u005f_":{}}'],
    ["a list", "[]"],
    ["a text", '"a"'],
    ["null", "null"],
    ["nothing", ""],
    ["an open string", '{"a'],
    ["a trailing comma", '{"a":1,}'],
    ["two values", "{}{}"],
    ["NaN", '{"a":NaN}'],
  ])("refuses %s", (_, text) => {
    expect(parse(text)).toBeNull()
  })

  it("refuses bad UTF-8", () => {
    expect(parseObject(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toBeNull()
  })

  it("admits one name in several objects, and names that are values", () => {
    expect(parse('{"a":{"a":["a","a",{"a":"a"}]},"b":{"a":1}}')).toEqual({
      a: { a: ["a", "a", { a: "a" }] },
      b: { a: 1 },
    })
  })

  it("counts the depth, and not brackets in text", () => {
    expect(parse('{"a":[{}]}', 3)).not.toBeNull()
    expect(parse('{"a":[{}]}', 2)).toBeNull()
    expect(parse('{"a":"[[[[","b\\"{[[[":1}', 1)).not.toBeNull()
    expect(parse(`{"a":${"[".repeat(100_000)}`)).toBeNull()
  })
})
