import { randomUUID } from "node:crypto"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import type { Plugin } from "esbuild"
import { bundle } from "./bundle.js"
import type { Modules } from "./device.js"

/** Puts stand-ins in the place of modules: name, and what it exports. */
const standIns = (modules: Modules): Plugin => ({
  name: "stand-ins",
  setup(plugin) {
    const filter = new RegExp(`^(${Object.keys(modules).join("|")})$`)
    plugin.onResolve({ filter }, ({ path }) => ({ path, namespace: "stand-in" }))
    plugin.onLoad({ filter: /./, namespace: "stand-in" }, ({ path }) => {
      const from = `globalThis.standIns[${JSON.stringify(path)}]`
      const names = Object.keys(modules[path] ?? {})
      const lines = names.map((name) =>
        name === "default" ? `export default ${from}.default` : `export const ${name} = ${from}.${name}`,
      )
      return { contents: [...lines, "export {}"].join("\n") }
    })
  },
})

/**
 * Starts an app as a new process would: its own source, bundled whole, with stand-ins for what the device brings.
 *
 * @param entry relative to the app's folder
 * @param folder where the bundle is put
 */
export async function start<T>(app: string, entry: string, modules: Modules, folder: string): Promise<T> {
  const { code } = await bundle(app, entry, { platform: "node", plugins: [standIns(modules)] })
  const file = join(folder, `${randomUUID()}.mjs`)
  await writeFile(file, code)
  Object.assign(globalThis, { standIns: modules })
  return import(pathToFileURL(file).href)
}
