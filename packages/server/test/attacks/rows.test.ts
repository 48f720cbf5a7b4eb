import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import ts from "typescript"
import { expect, it } from "vitest"

/** The rows of the attack table that the server answers for by now. */
const CLAIMED = [
  ["A", [2, 3, 5, 7, 8]],
  ["B", [5, 8, 11]],
  ["C", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]],
  ["D", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]],
  ["E", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]],
  ["F", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17]],
  ["G", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]],
  ["H", [1, 2, 3, 4]],
  ["I", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]],
  ["J", [1, 2, 3, 4, 5, 6, 7, 8]],
] as const

const root = fileURLToPath(new URL("../..", import.meta.url))

/** Every text in a test file: titles stand in calls of `it` and `describe`, and in the tables that are given to `each`. */
function texts(path: string): string[] {
  const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest)
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node)) found.push(node.text)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** The ids that a title begins with: `C2: ...`, `D5 D8 ...`, `F12, I3: ...`; or that stand after a semicolon in it. */
const idsOf = (text: string): string[] =>
  text
    .split("; ")
    .flatMap((part) => /^(?:[A-K]\d{1,2}(?:,|:)? )+(?=\S)/.exec(part)?.[0].match(/[A-K]\d{1,2}/g) ?? [])

it("every row of the attack table that is claimed has a test that bears its id, and no other row has one", () => {
  const files = ["src", "test"].flatMap((folder) =>
    readdirSync(`${root}/${folder}`, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".test.ts") && !name.endsWith("rows.test.ts"))
      .map((name) => `${root}/${folder}/${name}`),
  )
  const tested = new Set(files.flatMap(texts).flatMap(idsOf))
  const claimed = CLAIMED.flatMap(([letter, numbers]) => numbers.map((number) => `${letter}${number}`))
  expect([...tested].sort()).toEqual(claimed.sort())
})
