import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

const script = fileURLToPath(new URL("./support/global-fetch.ts", import.meta.url))

describe("the process's own fetch", () => {
  it.each(["never called", "called before"])("stays as it was: %s", (when) => {
    const { stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", script, when], {
      encoding: "utf8",
    })
    expect(stderr).toBe("")
    expect(JSON.parse(stdout)).toEqual({
      // Nothing is loaded, and no global changes, before the first call.
      untouchedByImport: true,
      called: 200,
      dispatcherIsNodes: true,
      globalsAdded: [],
      fetchUnchanged: true,
      fetched: "by fetch",
    })
  })
})
