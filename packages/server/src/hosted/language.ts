import { ENGLISH, type PageStrings } from "../config/page-strings.js"

/** The words of a page, and the language that they are in. */
export interface Language {
  /** For `<html lang>`: a tag as the configuration writes it, never as the request does. */
  lang: string
  strings: PageStrings
}

const MAX_LENGTH = 512

/** The tags of `ui_locales` (by spaces) or of `Accept-Language` (by commas, with weights), best first. */
function tagsOf(header: string): string[] {
  const ranges = header
    .slice(0, MAX_LENGTH)
    .toLowerCase()
    .replace(/\s*;\s*/g, ";")
    .split(/[\s,]+/)
  return ranges
    .map((range) => {
      const [tag = "", weight] = range.split(";q=")
      return { tag, weight: weight === undefined ? 1 : Number(weight) }
    })
    .filter(({ tag, weight }) => /^[a-z0-9-]+$/.test(tag) && weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .map(({ tag }) => tag)
}

/** RFC 4647 section 3.4: the tag, then without its last part, and so on. `de-AT` finds `de`. */
function* shorterAndShorter(tag: string): Generator<string> {
  for (let rest = tag; rest; rest = rest.slice(0, Math.max(0, rest.lastIndexOf("-")))) yield rest
}

/**
 * The configured language that the user wants most, else English.
 * @param wanted in this order: `ui_locales` of the login, then the browser's `Accept-Language`
 */
export function chooseStrings(
  config: Readonly<Record<string, Partial<PageStrings>>>,
  wanted: readonly (string | undefined)[],
): Language {
  const offered = new Map(Object.keys(config).map((tag) => [tag.toLowerCase(), tag]))
  if (!offered.has("en")) offered.set("en", "en")
  const find = (tag: string) => {
    for (const shorter of shorterAndShorter(tag)) {
      const exact = offered.get(shorter)
      if (exact !== undefined) return exact
    }
    // `pt` finds `pt-BR`: closer than English.
    return [...offered].find(([name]) => name.startsWith(`${tag}-`))?.[1]
  }
  const tags = wanted.flatMap((header) => tagsOf(header ?? ""))
  const lang = tags.map(find).find((found) => found !== undefined) ?? "en"
  const english = { ...ENGLISH, ...config[offered.get("en") ?? "en"] }
  return { lang, strings: { ...english, ...config[lang] } }
}

const RIGHT_TO_LEFT = new Set([
  "ar",
  "arc",
  "ckb",
  "dv",
  "fa",
  "he",
  "iw",
  "ks",
  "nqo",
  "ps",
  "sd",
  "syr",
  "ug",
  "ur",
  "yi",
])
const RIGHT_TO_LEFT_SCRIPTS = new Set(["adlm", "arab", "hebr", "nkoo", "rohg", "syrc", "thaa"])

/** For `<html dir>`. A script that the tag names decides, otherwise the language: `az-Arab` is, `ks-Deva` is not. */
export function directionOf(lang: string): "ltr" | "rtl" {
  const [language = "", ...parts] = lang.toLowerCase().split("-")
  const script = parts.find((part) => /^[a-z]{4}$/.test(part))
  const rightToLeft = script ? RIGHT_TO_LEFT_SCRIPTS.has(script) : RIGHT_TO_LEFT.has(language)
  return rightToLeft ? "rtl" : "ltr"
}
