import { spawnSync } from "node:child_process"
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, it } from "vitest"

let project: string

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), "ci-run-"))
  mkdirSync(join(project, ".ci"))
  copyFileSync(new URL("../.ci/run", import.meta.url), join(project, ".ci/run"))
})

afterEach(() => rmSync(project, { recursive: true, force: true }))

function program(name: string, script: string): void {
  writeFileSync(join(project, name), `#!/usr/bin/env bash\n${script}\n`)
  chmodSync(join(project, name), 0o755)
}

/** Runs `.ci/run` with an npm that does for each command what the lines of `cases` say. */
function run(cases: string): { status: number | null; last: string; output: string } {
  program("npm", `case "$*" in\n${cases}\nesac`)
  // Nothing is installed on the machine that runs this test.
  program("apt-get", "exit 1")
  const { status, stdout } = spawnSync("bash", [join(project, ".ci/run")], {
    env: { ...process.env, PATH: `${project}:${process.env.PATH}` },
    encoding: "utf8",
  })
  return { status, last: stdout.trimEnd().split("\n").at(-1) ?? "", output: stdout }
}

const tests = 'test) echo "40 0 0" >"$SUMMARY_FILE" ;;'
const checks =
  '"run package-checks") echo "5 0 0" >"$SUMMARY_FILE" ;;\n"run runtimes") echo "2 0 0" >"$SUMMARY_FILE" ;;'
const apps = '"run apps") echo "5 0 0" >"$SUMMARY_FILE" ;;'

it("adds the tests, the package checks, the runtimes and the apps", () => {
  expect(run(`${tests}\n${checks}\n${apps}`)).toMatchObject({ status: 0, last: "52 passed, 0 failed" })
})

it("says loudly what was skipped", () => {
  const result = run(`test) echo "40 0 2" >"$SUMMARY_FILE" ;;\n${checks}\n${apps}`)
  expect(result).toMatchObject({ status: 0, last: "52 passed, 0 failed, 2 skipped" })
  expect(result.output).toContain("THESE WERE NOT RUN")
})

it("stops after an installation that fails, and still ends with the line", () => {
  expect(run("ci) exit 1 ;;")).toMatchObject({ status: 1, last: "0 passed, 1 failed" })
})

it.each(["run lint", "run build", "run types", "run demo -- --once"])("counts a failing `npm %s`", (step) => {
  expect(run(`"${step}") exit 3 ;;\n${tests}\n${checks}\n${apps}`)).toMatchObject({
    status: 1,
    last: "52 passed, 1 failed",
  })
})

it("does not count a failing test twice", () => {
  const failing = 'test) echo "39 1 0" >"$SUMMARY_FILE"; exit 1 ;;'
  expect(run(`${failing}\n${checks}\n${apps}`)).toMatchObject({ status: 1, last: "51 passed, 1 failed" })
})

it("fails when the tests end well but counted nothing", () => {
  expect(run(`${checks}\n${apps}`)).toMatchObject({ status: 1, last: "12 passed, 1 failed" })
})

it("counts apps that cannot be installed", () => {
  const broken = '"run apps") exit 1 ;;'
  expect(run(`${tests}\n${checks}\n${broken}`)).toMatchObject({ status: 1, last: "47 passed, 1 failed" })
})

it("counts a crash of the test runner", () => {
  expect(run(`test) exit 139 ;;\n${checks}\n${apps}`)).toMatchObject({
    status: 1,
    last: "12 passed, 1 failed",
  })
})

it("counts an interruption", () => {
  const interrupted = '"run package-checks") kill -TERM $PPID ;;'
  expect(run(`${tests}\n${interrupted}\n${apps}`)).toMatchObject({ status: 1, last: "40 passed, 1 failed" })
})
