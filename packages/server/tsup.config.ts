import { defineConfig } from "tsup"
import { base } from "../../tsup.base.js"

const options = {
  ...base,
  platform: "node" as const,
  // Left as they stand: package.json "imports" picks the runtime's half when the code is loaded.
  external: ["#crypto", "#http"],
  entry: {
    index: "src/index.ts",
    express: "src/mounts/express.ts",
    fastify: "src/mounts/fastify.ts",
    hono: "src/mounts/hono.ts",
    koa: "src/mounts/koa.ts",
    next: "src/mounts/next.ts",
    node: "src/mounts/node.ts",
    postgres: "src/stores/postgres.ts",
    redis: "src/stores/redis.ts",
    serve: "src/serve/main.ts",
    sqlite: "src/stores/sqlite.ts",
    testing: "src/testing/index.ts",
    "runtime/crypto.node": "src/runtime/crypto.node.ts",
    "runtime/crypto.web": "src/runtime/crypto.web.ts",
    "runtime/http.node": "src/runtime/http.node.ts",
    "runtime/http.web": "src/runtime/http.web.ts",
  },
}

// The command shares its chunks with the modules. It is none itself: no types, and its CommonJS twin is not published.
const { serve: _, ...modules } = options.entry

export default defineConfig({
  ...options,
  dts: { ...base.dts, entry: modules },
  esbuildOptions(esbuild) {
    esbuild.logOverride = { "empty-import-meta": "silent" }
  },
})
