import { build, type Plugin } from "esbuild"

export interface Bundle {
  code: string
  /** The files of which something is in it, relative to the app's folder, and what it leaves to the device. */
  inputs: string[]
  imports: string[]
}

interface BundleOptions {
  platform: "node" | "neutral"
  /** What the system's own half, or a framework, brings: none of it runs outside a device. */
  external?: string[]
  plugins?: Plugin[]
}

/** Bundles a source of an app, given relative to the app's folder. */
export async function bundle(app: string, entry: string, options: BundleOptions): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: app,
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    target: "es2022",
    jsx: "automatic",
    logLevel: "silent",
    ...options,
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

/** Which platforms of our client are in a bundle, and what is foreign there: neither the client's nor the app's own. */
export const partsOf = ({ inputs }: Bundle) => ({
  platforms: inputs
    .flatMap(
      (input) => /^node_modules\/@pkce\/client\/dist\/(?!chunk-|index\.)(.+)\.js$/.exec(input)?.[1] ?? [],
    )
    .sort(),
  foreign: inputs.filter((input) => !/^(src|node_modules\/@pkce\/client\/dist)\//.test(input)),
})
