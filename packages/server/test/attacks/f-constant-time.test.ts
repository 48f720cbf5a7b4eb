import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import ts from "typescript"
import { describe, expect, it } from "vitest"

const src = fileURLToPath(new URL("../../src", import.meta.url))

/** Names of what a stranger must not be able to guess bit by bit. */
const SECRET =
  /^(?:.*(?:secret|verifier|challenge|handoff|binder|cookie|nonce|signature|commitment|fingerprint)|.*(?:token|mac)|code|state|cur|flow|confirm|redeemedBy|lock|hidden|tail)$/i

/** Comparisons that stop at the first difference. */
const OPERATORS = new Set([
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
  ts.SyntaxKind.EqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsToken,
])
/** Both sides come from the same sealed row; no stranger's value is near. */
const HARMLESS = ["vault/provider-grants.ts: found?.access_token === spent"]
const METHODS = new Set(["startsWith", "endsWith", "includes", "localeCompare", "indexOf"])

/** The name that an operand ends with: `input.handoff` is `handoff`. */
function nameOf(node: ts.Expression): string | null {
  if (ts.isIdentifier(node)) return node.text
  if (ts.isPropertyAccessExpression(node)) return node.name.text
  if (ts.isAwaitExpression(node) || ts.isParenthesizedExpression(node)) return nameOf(node.expression)
  return null
}

/** A word of the code's own has nothing to hide, and tells a stranger nothing of the other side. */
const isConstant = (node: ts.Expression): boolean =>
  ts.isLiteralExpression(node) ||
  node.kind === ts.SyntaxKind.NullKeyword ||
  nameOf(node) === "undefined" ||
  /^[A-Z_]+$/.test(nameOf(node) ?? "")

const isSecret = (node: ts.Expression): boolean => SECRET.test(nameOf(node) ?? "")

/** Each comparison of a source text that leaks by its time how much of a secret is right. */
function leaksOf(text: string): string[] {
  const source = ts.createSourceFile("x.ts", text, ts.ScriptTarget.Latest, true)
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isBinaryExpression(node) && OPERATORS.has(node.operatorToken.kind)) {
      const sides = [node.left, node.right]
      if (sides.some(isSecret) && !sides.some(isConstant)) found.push(node.getText())
    }
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const { expression, name } = node.expression
      const [sought] = node.arguments
      if (METHODS.has(name.text) && isSecret(expression) && sought && !isConstant(sought))
        found.push(node.getText())
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

describe("F16: secrets meet the constant-time function alone", () => {
  const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter(
    (name) => name.endsWith(".ts") && !/\.(test|fixture)\.ts$|^testing\//.test(name),
  )

  it("F16: the search finds what it is for", () => {
    for (const leak of [
      "a.handoff === input.handoff",
      "verifier !== b",
      "x == (await mac)",
      "token.startsWith(given)",
    ])
      expect(leaksOf(`if (${leak}) go()`)).toEqual([leak])
    for (const other of [
      "nonce === undefined",
      'error === "x"',
      "sameText(a.handoff, b.handoff)",
      "a.code === OUR_CODE",
    ])
      expect(leaksOf(`if (${other}) go()`)).toEqual([])
    expect(files.length).toBeGreaterThan(150)
  })

  it("F16: no file of ours compares one in another way", () => {
    const leaks = files.flatMap((name) =>
      leaksOf(readFileSync(`${src}/${name}`, "utf8")).map((leak) => `${name}: ${leak}`),
    )
    expect(leaks).toEqual(HARMLESS)
  })
})
