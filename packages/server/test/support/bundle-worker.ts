import { fileURLToPath } from "node:url"
import { build } from "esbuild"

const source = (path: string) => fileURLToPath(new URL(`../../src/${path}`, import.meta.url))

/** One file of a worker and all of ours that it imports, so that a process which is started serves after a blink. */
export const bundleWorker = (entry: string, outfile: string) =>
  build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    external: ["libsql", "pg", "ioredis"],
    alias: {
      "#crypto": source("runtime/crypto.node.ts"),
      "#http": source("runtime/http.node.ts"),
    },
    logLevel: "silent",
  })
