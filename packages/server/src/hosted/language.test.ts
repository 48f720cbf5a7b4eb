import fc from "fast-check"
import { expect, it } from "vitest"
import { ENGLISH } from "../config/page-strings.js"
import { chooseStrings, directionOf } from "./language.js"

const config = {
  de: { doneTitle: "Fertig" },
  "pt-BR": { doneTitle: "Pronto" },
  "zh-Hant": { doneTitle: "完成" },
}
const chosen = (...wanted: (string | undefined)[]) => chooseStrings(config, wanted).lang

it.each([
  [["de"], "de"],
  [["DE-at"], "de"],
  [["de-Latn-AT-1996"], "de"],
  [["fr, de;q=0.5"], "de"],
  [["en;q=0.8, de;q=0.9"], "de"],
  [["de;q=0.8, en-US;q=0.9"], "en"],
  [["de ; q=0.2 , pt-BR ; q=0.3"], "pt-BR"],
  [["de;q=0, fr"], "en"],
  [["de;q=x"], "en"],
  [["pt"], "pt-BR"],
  [["pt-PT"], "en"],
  [["zh-Hant-TW"], "zh-Hant"],
  [["ja de"], "de"],
  [["en-GB, de"], "en"],
  [["*"], "en"],
  [[""], "en"],
  [[undefined, "de"], "de"],
  [["de", "pt-BR"], "de"],
  [["ja", "pt-BR"], "pt-BR"],
  [["d"], "en"],
  [["__proto__", "constructor"], "en"],
] as const)("%j finds %s", (wanted, lang) => {
  expect(chosen(...wanted)).toBe(lang)
})

it("what a language leaves out is the team's English, and then ours", () => {
  const { lang, strings } = chooseStrings({ en: { failedTitle: "Oh no" }, de: { doneTitle: "Fertig" } }, [
    "de",
  ])
  expect(lang).toBe("de")
  expect(strings).toEqual({ ...ENGLISH, failedTitle: "Oh no", doneTitle: "Fertig" })
  expect(chooseStrings({}, [])).toEqual({ lang: "en", strings: ENGLISH })
})

it("J5: the language is one that the configuration names, whatever the browser writes", () => {
  const names = new Set(["en", ...Object.keys(config)])
  fc.assert(fc.property(fc.array(fc.string({ maxLength: 2000 })), (wanted) => names.has(chosen(...wanted))))
})

it("reads no more of a header than a browser would write", () => {
  expect(chosen(`${"x,".repeat(300)}de`)).toBe("en")
})

it.each([
  ["en", "ltr"],
  ["ar", "rtl"],
  ["he-IL", "rtl"],
  ["fa", "rtl"],
  ["az-Arab", "rtl"],
  ["ks-Deva", "ltr"],
  ["arn", "ltr"],
  ["", "ltr"],
])("%s is written %s", (lang, direction) => {
  expect(directionOf(lang)).toBe(direction)
})
