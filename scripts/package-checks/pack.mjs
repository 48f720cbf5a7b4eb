import { mkdirSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { root, run } from "./checks.mjs"

/** Packs one package and unpacks it into the project's node_modules. */
export function pack({ name, folder }, project) {
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", project]
  const [{ filename }] = Object.values(JSON.parse(run("npm", args, { cwd: join(root, folder) })))
  const tarball = join(project, filename)
  const installed = join(project, "node_modules", name)
  mkdirSync(installed, { recursive: true })
  run("tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"])
  const files = readdirSync(installed, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(installed.length + 1))
  const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"))
  const subpaths = Object.keys(manifest.exports).filter((path) => path !== "./package.json")
  return { tarball, installed, files, manifest, specifiers: subpaths.map((path) => name + path.slice(1)) }
}
