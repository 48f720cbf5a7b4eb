import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createChecks } from "./package-checks/checks.mjs"
import { checkCommands } from "./package-checks/commands.mjs"
import { checkConsumers } from "./package-checks/consumers.mjs"
import { checkContents } from "./package-checks/contents.mjs"
import { checkManifest } from "./package-checks/manifest.mjs"
import { pack } from "./package-checks/pack.mjs"
import { checkRuntime } from "./package-checks/runtime.mjs"
import { checkSizes } from "./package-checks/sizes.mjs"
import { checkTools } from "./package-checks/tools.mjs"
import { summaryLine } from "./summary-reporter.mjs"

// What is checked is the tarball, as a user would receive it, and never the working tree.
const packages = [
  { name: "@pkce/client", folder: "packages/client", dependencies: [] },
  { name: "@pkce/server", folder: "packages/server", dependencies: ["jose", "undici", "zod"] },
]

const checks = createChecks()
const project = mkdtempSync(join(tmpdir(), "package-checks-"))
try {
  const packed = []
  for (const wanted of packages) {
    await checks.run(`${wanted.name} packs`, () => packed.push({ ...wanted, ...pack(wanted, project) }))
  }
  for (const one of packed) {
    await checkManifest(one, checks)
    await checkContents(one, checks)
    await checkTools(one, checks)
    await checkRuntime(one, project, checks)
    await checkCommands(one, project, checks)
  }
  await checkConsumers(
    packed.flatMap(({ specifiers }) => specifiers),
    project,
    checks,
  )
  await checkSizes(checks)
} finally {
  rmSync(project, { recursive: true, force: true })
}

const { passed, failed } = checks
console.log(summaryLine({ passed, failed, skipped: 0 }))
if (process.env.SUMMARY_FILE) writeFileSync(process.env.SUMMARY_FILE, `${passed} ${failed} 0\n`)
process.exitCode = failed === 0 ? 0 : 1
