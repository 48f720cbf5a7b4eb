import { randomUUID } from "node:crypto"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { bundle, standIns } from "./bundle.js"

/**
 * Starts an app as a new process would: its own source, bundled whole, with stand-ins for what the device brings.
 *
 * @param entry relative to `examples/native-apps`
 */
export async function start<T>(
  entry: string,
  modules: Record<string, Record<string, unknown>>,
  folder: string,
): Promise<T> {
  const { code } = await bundle(entry, "node", [standIns({ ...modules, react: await import("react") })])
  const file = join(folder, `${randomUUID()}.mjs`)
  await writeFile(file, code)
  Object.assign(globalThis, { standIns: { ...modules, react: await import("react") } })
  return import(pathToFileURL(file).href)
}
