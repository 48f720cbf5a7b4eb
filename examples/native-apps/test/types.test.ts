import { spawnSync } from "node:child_process"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"

const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc")

// Each folder has a `modules.test-d.ts`: what must be accepted, and what must be refused.
it.each(["expo-app", "native-apps/react-native", "native-apps/capacitor", "native-apps/electron"])(
  "%s compiles against the types of the real native modules",
  (folder) => {
    const project = fileURLToPath(new URL(`../../${folder}`, import.meta.url))
    const { stdout, status } = spawnSync(process.execPath, [tsc, "-p", project, "--listFiles"], {
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
    })
    expect(stdout.split("\n").filter((line) => line.includes("error TS"))).toEqual([])
    expect(status).toBe(0)
    expect(stdout).toMatch(/modules\.test-d\.ts/)
  },
)
