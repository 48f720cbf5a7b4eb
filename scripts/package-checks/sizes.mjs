import { spawnSync } from "node:child_process"
import { root, tool } from "./checks.mjs"

/** The budgets of .size-limit.json, one check each. */
export async function checkSizes(checks) {
  const { stdout, stderr } = spawnSync(process.execPath, [tool("size-limit"), "--json"], {
    cwd: root,
    encoding: "utf8",
  })
  let entries = []
  await checks.run("size-limit can measure", () => {
    entries = stdout.trim() ? JSON.parse(stdout) : []
    if (entries.length === 0) throw new Error(stderr || stdout || "no budgets")
  })
  for (const { name, size, sizeLimit, passed } of entries) {
    await checks.run(`${name}: ${size} B of ${sizeLimit} B`, () => {
      if (!passed) throw new Error("over its budget")
    })
  }
}
