import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"

it("importing the package and making a server loads no undici and leaves fetch alone", () => {
  const script = fileURLToPath(new URL("./support/cold-start.ts", import.meta.url))
  const { stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", script], { encoding: "utf8" })
  expect(stderr).toBe("")
  expect(JSON.parse(stdout)).toEqual({ undici: false, fetchUnchanged: true })
})
