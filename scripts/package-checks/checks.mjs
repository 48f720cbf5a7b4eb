import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../..", import.meta.url))

/** Runs checks one by one, prints each, and counts. A check fails by throwing. */
export function createChecks() {
  const checks = {
    passed: 0,
    failed: 0,
    async run(name, check) {
      try {
        await check()
        checks.passed++
        console.log(`ok    ${name}`)
      } catch (error) {
        checks.failed++
        console.log(`FAIL  ${name}\n${String(error.message).replace(/^/gm, "      ")}`)
      }
    },
  }
  return checks
}

/** Runs a program and returns what it wrote; throws with its output when it fails. */
export function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    ...options,
  })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ended with ${status}\n${stdout}${stderr}`)
  return stdout
}

/** The script behind a development dependency's command, to be run by this very Node. */
export const tool = (name) => fileURLToPath(new URL(`../../node_modules/.bin/${name}`, import.meta.url))

/** Throws, with one line for each, unless the list is empty. */
export function none(faults) {
  if (faults.length > 0) throw new Error(faults.join("\n"))
}
