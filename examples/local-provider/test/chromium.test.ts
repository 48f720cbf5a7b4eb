import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, expect, it, vi } from "vitest"
import { chromiumPath } from "../src/chromium.js"

const shared = mkdtempSync(join(tmpdir(), "shared-"))
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(shared, { recursive: true })
})

it("runs no program that somebody else has put into the temporary folder", async () => {
  writeFileSync(join(shared, "chromium"), "not ours")
  vi.stubEnv("TMPDIR", shared)
  expect((await chromiumPath()).startsWith(shared)).toBe(false)
  expect(process.env.TMPDIR).toBe(shared)
})
