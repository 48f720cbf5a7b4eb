import { spawnSync } from "node:child_process"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

// The apps of phones and desktops: each installed apart from the repository (700 MB that nothing else needs), built by its own
// bundler, type-checked against the real native modules, and tested. Takes what `npm run build` made.
//   npm run apps
//   npm run apps -- --tests   only the tests, with what the last run installed and built
const root = fileURLToPath(new URL("..", import.meta.url))
/** The folders of the apps, and the script of each that makes its `dist`. */
const apps = {
  "capacitor-app": "build",
  "electron-app": "build",
  "expo-app": "export",
  "react-native-app": "bundle",
}
const offline = { EXPO_OFFLINE: "1", EXPO_NO_TELEMETRY: "1", CI: "1" }

function run(name, command, args, folder = ".") {
  const start = Date.now()
  const { status, error } = spawnSync(command, args, {
    cwd: join(root, folder),
    stdio: "inherit",
    env: { ...process.env, ...offline },
    shell: process.platform === "win32",
  })
  console.log(`${name}: exit ${status ?? error?.code} after ${Math.round((Date.now() - start) / 1000)} s`)
  if (status !== 0) process.exit(status ?? 1)
}

if (!process.argv.includes("--tests")) {
  for (const [app, script] of Object.entries(apps)) {
    const folder = `examples/${app}`
    run(`install ${app}`, "npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
    // What an earlier run left behind must not be what is tested.
    rmSync(join(root, folder, "dist"), { recursive: true, force: true })
    run(`${script} ${app}`, "npm", ["run", "--silent", script], folder)
  }
}
run("tests", "npx", ["vitest", "run", "--config", "vitest.workspace.ts", "--project", "apps"])
