import { writeFileSync } from "node:fs"

/**
 * The last word of a test run: what passed, what failed, and every skipped test by name. A file that could not be
 * loaded, an error outside any test and a test that never finished are failures too.
 * `SUMMARY_FILE` names a file that receives the three numbers: passed, failed, skipped.
 */
export default function summaryReporter() {
  return { onTestRunEnd: (modules, unhandledErrors) => report(count(modules, unhandledErrors)) }
}

export function count(modules, unhandledErrors = []) {
  const summary = { passed: 0, failed: unhandledErrors.length, skipped: [] }
  for (const module of modules) {
    const tests = [...module.children.allTests()]
    // A suite's hook or the file itself may fail while no single test does.
    const brokenOutside = [module, ...module.children.allSuites()].some((part) => part.errors().length > 0)
    if (brokenOutside || tests.length === 0) summary.failed++
    for (const test of tests) {
      const { state } = test.result()
      if (state === "passed") summary.passed++
      else if (state === "skipped") summary.skipped.push(`${module.relativeModuleId}: ${test.fullName}`)
      else summary.failed++
    }
  }
  return summary
}

/** `1 passed, 0 failed`, with the skipped ones where there are any. */
export const summaryLine = ({ passed, failed, skipped }) =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`

function report({ passed, failed, skipped }) {
  for (const name of skipped) console.log(`SKIPPED ${name}`)
  console.log(summaryLine({ passed, failed, skipped: skipped.length }))
  const file = process.env.SUMMARY_FILE
  if (file) writeFileSync(file, `${passed} ${failed} ${skipped.length}\n`)
}
