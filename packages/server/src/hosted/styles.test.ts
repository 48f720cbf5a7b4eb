import fc from "fast-check"
import { expect, it } from "vitest"
import { contrast } from "./color.js"
import { styles } from "./styles.js"

const color = fc.integer({ min: 0, max: 0xffffff }).map((value) => `#${value.toString(16).padStart(6, "0")}`)

/** The variables of the light scheme, then of the dark one. */
const schemes = (sheet: string) =>
  [...sheet.matchAll(/:root\{([^}]*)\}/g)].map(
    ([, body = ""]) =>
      Object.fromEntries(body.split(";").map((one) => one.replace("--", "").split(":"))) as Record<
        string,
        string
      >,
  )

const ratio = (one: string | undefined, other: string | undefined) => contrast(one ?? "", other ?? "")

it("text reads on what it stands on, in light and dark (WCAG AA)", () => {
  const both = schemes(styles(null))
  expect(both).toHaveLength(2)
  for (const { text, quiet, card, ground } of both) {
    for (const ink of [text, quiet]) {
      expect(ratio(ink, card)).toBeGreaterThanOrEqual(4.5)
      expect(ratio(ink, ground)).toBeGreaterThanOrEqual(4.5)
    }
  }
})

it("the edge of a button is seen on the card, whatever the team's colour (WCAG 1.4.11, 3)", () => {
  fc.assert(
    fc.property(fc.oneof(color, fc.constantFrom("#ffffff", "#191b20", "#000000")), (team) => {
      for (const { edge, card } of schemes(styles(team))) expect(ratio(edge, card)).toBeGreaterThanOrEqual(3)
    }),
  )
})

it("asks for nothing from elsewhere, and moves only where the user has not asked for stillness", () => {
  const sheet = styles("#123456")
  expect(sheet).not.toMatch(/url\(|@import|@font-face|expression|https?:/)
  const still = sheet.replace(/@media \(prefers-reduced-motion:no-preference\)\{[^}]*\}\}/, "")
  expect(still).not.toMatch(/transition|animation/)
  expect(sheet).toMatch(/:focus-visible\{outline:3px/)
})

it("no colour adds a rule", () => {
  expect(() => styles("#123456}body{display:none")).toThrow(TypeError)
})
