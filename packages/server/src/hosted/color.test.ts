import fc from "fast-check"
import { expect, it } from "vitest"
import { checkedColor, contrast, inkOn } from "./color.js"

const color = fc.integer({ min: 0, max: 0xffffff }).map((value) => `#${value.toString(16).padStart(6, "0")}`)

it.each([
  ["#ffffff", "#000000", 21],
  ["#ffffff", "#ffffff", 1],
  ["#777777", "#ffffff", 4.48],
  ["#0000ff", "#ffffff", 8.59],
  ["#ff0000", "#000000", 5.25],
])("the contrast of %s and %s is WCAG's: %d", (one, other, ratio) => {
  expect(contrast(one, other)).toBeCloseTo(ratio, 2)
  expect(contrast(other, one)).toBeCloseTo(ratio, 2)
})

it("the text of a button reads on any colour (WCAG AA, 4.5)", () => {
  fc.assert(
    fc.property(color, (one) => contrast(one, inkOn(one)) >= 4.5),
    { numRuns: 5000 },
  )
  // The greys are the hardest, and few.
  for (let grey = 0; grey < 256; grey++) {
    const one = `#${grey.toString(16).padStart(2, "0").repeat(3)}`
    expect(contrast(one, inkOn(one))).toBeGreaterThanOrEqual(4.5)
  }
})

it.each(["red", "#fff", "#12345g", "#123456;}", "#1234567", "url(x)", ""])(
  "refuses %j as a colour",
  (value) => {
    expect(() => checkedColor(value)).toThrow(TypeError)
  },
)
