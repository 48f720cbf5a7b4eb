import { mkdirSync, symlinkSync } from "node:fs"
import { dirname, join } from "node:path"
import { root, run } from "./checks.mjs"

/** Loads every subpath of the tarball in plain Node, by import and by require, with only its dependencies there. */
export async function checkRuntime({ dependencies, specifiers }, project, checks) {
  for (const dependency of dependencies) link(dependency, project)
  for (const specifier of specifiers) {
    await checks.run(`${specifier} loads by import and by require, with the same exports`, () => {
      const load = `
        import { createRequire } from "node:module"
        const required = createRequire(${JSON.stringify(join(project, "index.js"))})(${JSON.stringify(specifier)})
        const imported = await import(${JSON.stringify(specifier)})
        const names = (module) => Object.keys(module).filter((name) => name !== "default").sort().join()
        if (names(imported) === "") throw new Error("exports nothing")
        if (names(imported) !== names(required)) throw new Error(names(imported) + " is not " + names(required))`
      run(process.execPath, ["--input-type=module", "-e", load], { cwd: project })
    })
  }
}

/** Makes a package of the root's node_modules visible in the project. */
export function link(dependency, project) {
  const target = join(project, "node_modules", dependency)
  mkdirSync(dirname(target), { recursive: true })
  symlinkSync(join(root, "node_modules", dependency), target, "junction")
}
