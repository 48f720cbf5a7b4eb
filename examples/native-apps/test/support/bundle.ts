import { fileURLToPath } from "node:url"
import { build, type Plugin } from "esbuild"

const here = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** What the system's own half, or a framework, brings: none of it runs outside a device. */
export const NATIVE = [
  "@aparajita/capacitor-secure-storage",
  "@capacitor/*",
  "@react-native-async-storage/async-storage",
  "electron",
  "expo-*",
  "react",
  "react/*",
  "react-native",
  "react-native-*",
]

export interface Bundle {
  code: string
  /** The files of which something is in it, and what it leaves to the device. */
  inputs: string[]
  imports: string[]
}

/** Bundles a source of an example, given relative to `examples/native-apps`. */
export async function bundle(
  entry: string,
  platform: "node" | "neutral",
  plugins: Plugin[] = [],
): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    entryPoints: [here(entry)],
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    target: "es2022",
    platform,
    external: plugins.length > 0 ? [] : NATIVE,
    jsx: "automatic",
    define: { "process.env.EXPO_PUBLIC_SERVER": "undefined" },
    plugins,
    logLevel: "silent",
  })
  const [output] = Object.values(metafile.outputs)
  return {
    code: outputFiles[0]?.text ?? "",
    inputs: Object.entries(output?.inputs ?? {}).flatMap(([path, { bytesInOutput }]) =>
      bytesInOutput ? path : [],
    ),
    imports: (output?.imports ?? []).map(({ path }) => path),
  }
}

/** Puts stand-ins in the place of modules: name, and what it exports. */
export const standIns = (modules: Record<string, Record<string, unknown>>): Plugin => ({
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
