import { spawnSync } from "node:child_process"
import { createRequire } from "node:module"
import { join } from "node:path"

/** Compiles an app by its own compiler and configuration: what is wrong, and the app's own files that were looked at. */
export function compile(app: string) {
  const tsc = createRequire(join(app, "package.json")).resolve("typescript/bin/tsc")
  const { stdout, status } = spawnSync(process.execPath, [tsc, "-p", app, "--listFiles"], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  })
  const lines = stdout.split("\n")
  return {
    status,
    errors: lines.filter((line) => line.includes("error TS")),
    files: lines.filter((line) => line.startsWith(app) && !line.includes("/node_modules/")),
  }
}
