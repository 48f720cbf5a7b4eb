import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { build, transform } from "esbuild"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createProject, type Project } from "./project.js"
import { hermesc } from "./runtimes.js"

/** What an app on a phone imports. */
const ENTRIES = ["index", "expo", "react-native", "capacitor", "react", "diagnose"]
/** What React Native has and the language has not. All others are asked for as members of `globalThis`, which may lack them. */
const OURS = ["AbortController", "Headers", "Promise", "clearTimeout", "setTimeout"]

let project: Project
beforeAll(() => {
  project = createProject()
})
afterAll(() => project?.remove())

/** Every file that the entries of one kind load, chunks included. */
async function shipped(extension: "js" | "cjs"): Promise<string[]> {
  const dist = join(project.client.installed, "dist")
  const { metafile } = await build({
    absWorkingDir: dist,
    entryPoints: ENTRIES.map((entry) => `./${entry}.${extension}`),
    bundle: true,
    write: false,
    outdir: "unused",
    metafile: true,
    platform: "neutral",
    logLevel: "silent",
  })
  return Object.keys(metafile.inputs).map((file) => join(dist, basename(file)))
}

/** As Metro hands it over: a function around CommonJS. The syntax stays as it was shipped, with nothing made older. */
async function compiled(file: string): Promise<{ status: number | null; text: string }> {
  const { code } = await transform(readFileSync(file, "utf8"), { format: "cjs", target: "esnext" })
  const program = join(project.fresh(), basename(file))
  writeFileSync(program, `(function (require, module, exports) { "use strict"; ${code}\n})`)
  const out = `${program}.hbc`
  const { status, stderr } = spawnSync(hermesc.command, ["-O", "-emit-binary", "-out", out, program], {
    encoding: "utf8",
  })
  return { status, text: stderr }
}

describe.each(["js", "cjs"] as const)(`today's Hermes${hermesc.notRun}`, (extension) => {
  it.skipIf(!hermesc.isThere)(
    `P19: compiles every .${extension} file that an app on a phone loads`,
    async () => {
      const files = await shipped(extension)
      expect(files.length).toBeGreaterThan(ENTRIES.length)
      const undeclared = new Set<string>()
      for (const file of files) {
        const { status, text } = await compiled(file)
        expect([basename(file), status, text.match(/^.*error:.*$/gm)]).toEqual([basename(file), 0, null])
        for (const [, name = ""] of text.matchAll(/the variable "(\w+)" was not declared/g))
          undeclared.add(name)
      }
      expect([...undeclared].sort()).toEqual(OURS)
    },
  )

  it.skipIf(!hermesc.isThere)("the check sees what the engine cannot read, and what it has not", async () => {
    const wrong = join(project.fresh(), `wrong.${extension}`)
    writeFileSync(wrong, "export const a = /(?<=a)b/v; new URL(a)")
    const { status } = await compiled(wrong)
    expect(status).not.toBe(0)
    writeFileSync(wrong, "export const b = new URL(globalThis.location)")
    expect((await compiled(wrong)).text).toContain('the variable "URL" was not declared')
  })
})
