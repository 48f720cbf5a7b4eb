import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, expect, it } from "vitest"

const reporter = fileURLToPath(new URL("./summary-reporter.mjs", import.meta.url))
const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs")
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "summary-"))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A real run of vitest over one file with this content. */
function runTests(name: string, content: string) {
  writeFileSync(join(folder, `${name}.test.js`), content)
  const summary = join(folder, `${name}.summary`)
  const { stdout } = spawnSync(
    process.execPath,
    [vitest, "run", "--root", folder, "--globals", "--reporter", reporter, `${name}.test.js`],
    { encoding: "utf8", env: { ...process.env, SUMMARY_FILE: summary } },
  )
  return { counts: readFileSync(summary, "utf8").trim(), lines: stdout.trimEnd().split("\n") }
}

it("counts what passed, failed and was skipped, and names the skipped", () => {
  const { counts, lines } = runTests(
    "mixed",
    `describe("a suite", () => {
      it("holds", () => {})
      it("breaks", () => { throw new Error("on purpose") })
      it.skip("waits", () => {})
      it.todo("comes later")
    })`,
  )
  expect(counts).toBe("1 1 2")
  expect(lines).toContain("SKIPPED mixed.test.js: a suite > waits")
  expect(lines).toContain("SKIPPED mixed.test.js: a suite > comes later")
  expect(lines.at(-1)).toBe("1 passed, 1 failed, 2 skipped")
})

it("counts a file that cannot be loaded, and a hook that fails", () => {
  expect(runTests("broken", "throw new Error('on purpose')").counts).toBe("0 1 0")
  const hook =
    "describe('s', () => { afterAll(() => { throw new Error('on purpose') }); it('holds', () => {}) })"
  expect(runTests("hook", hook).counts).toBe("1 1 0")
})

it("counts an error outside any test", () => {
  const late =
    "it('holds', () => { setTimeout(() => { throw new Error('on purpose') }, 0) })\nit('waits', () => new Promise((r) => setTimeout(r, 50)))"
  expect(runTests("unhandled", late).counts).toBe("2 1 0")
})
