import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { python } from "./support/driver.js"

const root = fileURLToPath(new URL("..", import.meta.url))

it.skipIf(!python)("the Python client's own unit tests pass (need python3, 3.9 or newer)", () => {
  const args = ["-W", "error", "-m", "unittest", "discover", "-s", "test", "-p", "test_*.py"]
  const { status, stderr } = spawnSync(python ?? "", args, {
    cwd: root,
    env: { ...process.env, PYTHONPATH: root, PYTHONDONTWRITEBYTECODE: "1" },
    encoding: "utf8",
  })
  expect(stderr).toMatch(/^Ran [1-9]\d* tests/m)
  expect([status, stderr.match(/^(OK|FAILED).*/m)?.[0]], stderr).toEqual([0, "OK"])
})
