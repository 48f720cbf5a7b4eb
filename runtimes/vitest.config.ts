import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  test: {
    root: here("."),
    include: ["*.test.ts"],
    reporters: ["default", here("../scripts/summary-reporter.mjs")],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
