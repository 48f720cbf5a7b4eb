import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import { OVER } from "./measure.js"

//   npm run bench                    all of them
//   npm run bench -- session-token   one
const NAMES = ["session-token", "exchange", "stores"]
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

let running: ChildProcess | undefined

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !NAMES.includes(name))
if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(", ")}. There are ${NAMES.join(", ")}.`)
  process.exit(2)
}

// Bundled as the packages are built: what tsx adds to a function, to keep its name, would be measured too.
const folder = mkdtempSync(here("../node_modules/.bench-"))
process.once("exit", () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    running?.kill(signal)
    process.exit(1)
  })
await build({
  entryPoints: [...NAMES, "exchange-provider"].map((name) => here(`./${name}.ts`)),
  outdir: folder,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  external: ["libsql", "pg", "ioredis", "undici", "jose", "zod", "vitest"],
  alias: {
    "#crypto": here("../packages/server/src/runtime/crypto.node.ts"),
    "#http": here("../packages/server/src/runtime/http.node.ts"),
  },
  logLevel: "warning",
})

// One process each: what one has heated or filled is not in the way of another.
const missed: string[] = []
for (const name of asked.length > 0 ? asked : NAMES) {
  const child = spawn(process.execPath, [join(folder, `${name}.mjs`)], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  running = child
  let title = ""
  createInterface({ input: child.stdout }).on("line", (line) => {
    console.log(line)
    if (!line.startsWith(" ")) title = line.replace(/:.*/, "")
    if (line.includes(OVER)) missed.push(`  ${title}: ${line.trim().replace(/ {2,}/g, "  ")}`)
  })
  const [status] = await once(child, "close")
  if (status !== 0) {
    console.error(`${name} did not run to its end.`)
    process.exitCode = 1
  }
}
if (missed.length > 0) console.log(`\n${missed.length} ${OVER}:\n${missed.join("\n")}`)
