import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build, type Plugin } from "esbuild"
import { pack } from "../scripts/package-checks/pack.mjs"
import { link } from "../scripts/package-checks/runtime.mjs"

const DEPENDENCIES = ["jose", "undici", "zod"]
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export interface Project {
  folder: string
  /** What is in the client's tarball, and where it was unpacked. */
  client: { installed: string; files: string[] }
  /** A program of this folder, which finds the packages by itself, as a user's would. */
  program(name: string): Promise<string>
  /** The same as one file with everything in it, for a runtime that finds nothing by itself. */
  bundle(name: string, conditions: string[]): Promise<string>
  /** An empty folder for one run. */
  fresh(): string
  remove(): void
}

/** Takes our packages as they were packed, not those of the workspace that the source stands in. */
const packed = (folder: string): Plugin => ({
  name: "packed",
  setup(build) {
    build.onResolve({ filter: /^@pkce\// }, ({ path, kind, resolveDir }) =>
      resolveDir === folder ? undefined : build.resolve(path, { kind, resolveDir: folder }),
    )
  },
})

/** A user's project: the tarballs that would be published, unpacked, and the dependencies that they name. */
export function createProject(): Project {
  const folder = mkdtempSync(join(tmpdir(), "pkce-runtimes-"))
  const client = pack({ name: "@pkce/client", folder: "packages/client" }, folder)
  pack({ name: "@pkce/server", folder: "packages/server" }, folder)
  for (const dependency of DEPENDENCIES) link(dependency, folder)
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "project", type: "module" }))

  async function written(name: string, more: object): Promise<string> {
    const outfile = join(folder, `${name}.mjs`)
    await build({
      entryPoints: [here(`./${name}.main.ts`)],
      bundle: true,
      outfile,
      format: "esm",
      target: "esnext",
      platform: "neutral",
      logLevel: "silent",
      ...more,
    })
    return outfile
  }

  return {
    folder,
    client,
    program: (name) => written(name, { packages: "external" }),
    bundle: (name, conditions) =>
      written(name, {
        conditions,
        mainFields: ["module", "main"],
        plugins: [packed(folder)],
        external: ["node:*"],
        metafile: true,
      }),
    fresh() {
      const fresh = join(folder, `run-${Math.floor(performance.now() * 1000)}`)
      mkdirSync(fresh)
      return fresh
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
