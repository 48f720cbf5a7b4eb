import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../..", import.meta.url))

export interface Page {
  /** Relative to the root. */
  path: string
  text: string
}

/** Every page that a user may read. */
export function pages(): Page[] {
  const docs = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"))
  const paths = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "packages/client/README.md",
    "packages/server/README.md",
    ...docs.map((name) => `docs/${name}`),
  ]
  return paths.map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }))
}

export interface Block {
  page: string
  /** Of the first line of code, from 1. */
  line: number
  code: string
}

/** The fenced blocks of one language. */
export function blocks({ path, text }: Page, language: string): Block[] {
  const found: Block[] = []
  let open: { language: string; line: number; code: string[] } | undefined
  text.split("\n").forEach((content, index) => {
    const fence = /^\s*```(\w*)/.exec(content)
    if (!fence) open?.code.push(content)
    else if (!open) open = { language: fence[1] ?? "", line: index + 2, code: [] }
    else {
      if (open.language === language) found.push({ page: path, line: open.line, code: open.code.join("\n") })
      open = undefined
    }
  })
  return found
}

/** The text without its code, where a link is only an example. */
const prose = (text: string) => text.replace(/^\s*```[\s\S]*?^\s*```/gm, "").replace(/`[^`\n]*`/g, "")

export const links = ({ text }: Page): string[] =>
  [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target ?? "")

/** The anchors that a page's headings make, as GitHub names them. */
export const anchors = ({ text }: Page): string[] =>
  text
    .replace(/^\s*```[\s\S]*?^\s*```/gm, "")
    .split("\n")
    .flatMap((line) => /^#+ (.+)$/.exec(line)?.[1] ?? [])
    .map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, "")
        .replaceAll(" ", "-"),
    )

/** The text in backquotes in one column (from 0) of the tables under a heading. */
export function cells({ path, text }: Page, column: number, heading: string): string[] {
  const start = text.indexOf(`\n${heading}\n`)
  if (start < 0) throw new Error(`${path} has no heading ${heading}`)
  const level = /^#+/.exec(heading)?.[0].length ?? 1
  const below = text.slice(start + heading.length + 2)
  const end = below.search(new RegExp(`^#{1,${level}} `, "m"))
  return (end < 0 ? below : below.slice(0, end))
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .flatMap((line) => [...(line.split("|")[column + 1] ?? "").matchAll(/`([^`]+)`/g)])
    .map(([, name]) => name ?? "")
}
