import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

// Unit tests and suites read the packages' source; the examples read what the build made, as a user would.
const source = {
  "#crypto": here("packages/server/src/runtime/crypto.node.ts"),
  "#http": here("packages/server/src/runtime/http.node.ts"),
}

/** The apps of phones and desktops have installations of their own. */
const apps = ["examples/{capacitor,electron,expo,react-native}-app/test/**/*.test.ts"]

export default defineConfig({
  test: {
    // The default leaves one core free, and so has one worker on two; much of the time is waited, not worked.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    reporters: ["default", here("scripts/summary-reporter.mjs")],
    projects: [
      {
        resolve: { alias: source },
        test: {
          name: "packages",
          include: ["packages/*/src/**/*.test.ts", "packages/*/test/**/*.test.ts"],
          testTimeout: 20_000,
        },
      },
      { test: { name: "repository", include: ["scripts/**/*.test.ts"], testTimeout: 60_000 } },
      {
        test: {
          name: "examples",
          include: ["examples/*/test/**/*.test.ts"],
          exclude: apps,
          testTimeout: 90_000,
          hookTimeout: 90_000,
        },
      },
      // What `npm run apps` has installed and built; `npm test` leaves it out.
      { test: { name: "apps", include: apps, testTimeout: 120_000, hookTimeout: 90_000 } },
    ],
  },
})
