import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root, run, tool } from "./checks.mjs"
import { link } from "./runtime.mjs"

const TYPES = ["@types/node", "undici-types"]
const FRAMEWORKS = ["express", "@types/express", "fastify", "hono", "koa", "@types/koa", "libsql"]

const consumers = [
  { name: "bundler", extension: "ts", type: "module", module: "esnext", moduleResolution: "bundler" },
  { name: "node16 as ESM", extension: "mts", type: "module", module: "node16", moduleResolution: "node16" },
  { name: "node16 as CJS", extension: "cts", type: "commonjs", module: "node16", moduleResolution: "node16" },
]

/** Compiles projects that use the public API of every subpath against the tarballs, strictly. */
export async function checkConsumers(specifiers, project, checks) {
  const sources = join(root, "scripts/consumer")
  for (const dependency of [...TYPES, ...FRAMEWORKS]) link(dependency, project)

  for (const { name, extension, type, ...resolution } of consumers) {
    await checks.run(`a strict consumer compiles with ${name}`, () => {
      const folder = projectFolder(name, project, { type }, { ...resolution, skipLibCheck: true })
      for (const file of readdirSync(sources))
        copyFileSync(join(sources, file), join(folder, file.replace(/\.ts$/, `.${extension}`)))
      run(process.execPath, [tool("tsc"), "-p", folder])
    })
  }

  await checks.run("the declarations compile themselves, without any framework's types", () => {
    const options = { module: "node16", moduleResolution: "node16", skipLibCheck: false }
    const folder = projectFolder("declarations", project, { type: "module" }, options)
    writeFileSync(join(folder, "all.ts"), specifiers.map((specifier) => `import "${specifier}"\n`).join(""))
    run(process.execPath, [tool("tsc"), "-p", folder])
  })
}

function projectFolder(name, project, manifest, options) {
  const folder = join(project, name.replaceAll(" ", "-"))
  const compilerOptions = {
    ...options,
    target: "es2022",
    lib: ["es2022", "dom"],
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
  }
  mkdirSync(folder)
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest))
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions }))
  return folder
}
