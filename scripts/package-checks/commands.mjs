import { mkdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { none, root, run } from "./checks.mjs"

/** The commands of a package: there, executable, and run by npx from the tarball where nothing else is. */
export async function checkCommands(
  { name, installed, files, manifest, tarball, dependencies },
  project,
  checks,
) {
  for (const [command, path] of Object.entries(manifest.bin ?? {})) {
    const file = path.replace(/^\.\//, "")
    await checks.run(`${name}: ${command} is there, executable, and begins with #!`, () => {
      if (!files.includes(file)) throw new Error(`lacks ${file}`)
      if (!readFileSync(join(installed, file), "utf8").startsWith("#!/usr/bin/env node\n"))
        throw new Error("does not begin with #!/usr/bin/env node")
      if (process.platform !== "win32" && (statSync(join(installed, file)).mode & 0o111) !== 0o111)
        throw new Error("is not executable")
    })

    await checks.run(`${name}: nothing that is imported brings ${command} with it`, () => {
      const entries = files.filter((entry) => /^dist\/[\w.-]+\.c?js$/.test(entry) && entry !== file)
      none(
        entries
          .filter((entry) => /PKCE_TRUST_PROXY/.test(readFileSync(join(installed, entry), "utf8")))
          .map((entry) => `${entry} has it`),
      )
    })

    await checks.run(`npx runs ${command} from the tarball, in an empty folder`, () => {
      const empty = join(project, `empty-${command}`)
      mkdirSync(empty)
      // From files alone, so that no registry is asked.
      const tarballs = [tarball, ...dependencies.map((dependency) => packed(dependency, project))]
      const npx = (...args) => {
        const packages = tarballs.flatMap((one) => ["-p", one])
        return run("npx", ["--yes", "--offline", ...packages, command, ...args], { cwd: empty })
      }
      if (npx("--version").trim() !== manifest.version) throw new Error("tells another version")
      const secret = /^PKCE_SECRET=[\w-]{43}\n$/
      if (!secret.test(npx("secret"))) throw new Error("makes no secret")
    })
  }
}

/** A dependency as it was installed here, as a tarball. */
function packed(dependency, project) {
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", project]
  const [{ filename }] = Object.values(
    JSON.parse(run("npm", args, { cwd: join(root, "node_modules", dependency) })),
  )
  return join(project, filename)
}
