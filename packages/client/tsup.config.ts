import { defineConfig } from "tsup"
import { base } from "../../tsup.base.js"

export default defineConfig({
  ...base,
  platform: "neutral",
  external: [/^node:/],
  entry: {
    index: "src/index.ts",
    web: "src/platforms/web.ts",
    cli: "src/platforms/cli.ts",
  },
})
