import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import ts from "typescript"
import { expect, it } from "vitest"

/** What users of other libraries suffer from, by the numbers that titles of tests bear. */
const PAINS: Record<string, string> = {
  P1: "Android says that the browser was dismissed before the redirect arrives",
  P2: "the system kills the app while the browser is in front",
  P3: "leaving for the code of a second factor closes the tab",
  P4: "one callback is delivered two or three times",
  P5: "an effect that runs twice exchanges the code twice",
  P6: "state or verifier are missing after the redirect",
  P7: "a lost refresh response logs the user out",
  P8: "two refreshes at once log the user out",
  P9: "no network, an error 5xx or a captive portal logs the user out",
  P10: "the keychain survives the removal of the app",
  P11: "a backup brings entries that cannot be decrypted",
  P12: "the keychain is locked in the background",
  P13: "values of more than 2 KB",
  P14: "a clock that is wrong",
  P15: "universal and app links that do not fire without a gesture",
  P16: "embedded web views, which providers refuse",
  P17: "iOS asks before it signs in, and users turn away",
  P18: "providers that admit no custom scheme",
  P19: "React Native's URL, atob or subtle are missing",
  P20: "Electron hands over deep links in three ways",
  P21: "deadlocks of the library's own lock",
  P22: "Safari blocks popups that open after an await",
}

const root = fileURLToPath(new URL("../../..", import.meta.url))
const FOLDERS = ["packages/client/src", "packages/client/test", "examples/web-app/test"]

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

/** The pains among the ids that a title begins with: `P4: ...`, `R6 P8 ...`, `B3, P2: ...`. */
const painsOf = (text: string): string[] =>
  /^(?:[A-Z]{1,2}\d{1,2}[,:]? )+(?=\S)/.exec(text)?.[0].match(/\bP\d{1,2}\b/g) ?? []

it("every row of the pain catalogue has a test that bears its number", () => {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(`${root}/${folder}`, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".test.ts") && !name.endsWith("pain-rows.test.ts"))
      .map((name) => `${root}/${folder}/${name}`),
  )
  const tested = new Set(files.flatMap(texts).flatMap(painsOf))
  expect([...tested].sort()).toEqual(Object.keys(PAINS).sort())
})
