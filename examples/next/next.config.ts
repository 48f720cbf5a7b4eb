import { fileURLToPath } from "node:url"
import type { NextConfig } from "next"

const config: NextConfig = {
  // A native module: Node loads it, the bundler leaves it alone.
  serverExternalPackages: ["libsql"],
  // This example lives in a workspace; an app of its own needs neither line.
  turbopack: { root: fileURLToPath(new URL("../..", import.meta.url)) },
  outputFileTracingRoot: fileURLToPath(new URL("../..", import.meta.url)),
}

export default config
