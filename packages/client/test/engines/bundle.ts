import { fileURLToPath } from "node:url"
import { build } from "esbuild"

/**
 * The flow with the built package, as one script that leaves `run` behind. Nothing is made older here: what the build
 * wrote is what the engine gets.
 */
export async function bundledFlow(): Promise<string> {
  const { outputFiles, metafile } = await build({
    entryPoints: [fileURLToPath(new URL("./flow.ts", import.meta.url))],
    bundle: true,
    write: false,
    metafile: true,
    format: "iife",
    platform: "neutral",
    target: "esnext",
    logLevel: "silent",
  })
  const strange = Object.keys(metafile.inputs).filter(
    (file) => !/test\/engines\/|packages\/client\/dist\//.test(file),
  )
  if (strange.length > 0) throw new Error(`not the built package: ${strange.join()}`)
  return outputFiles[0]?.text ?? ""
}
