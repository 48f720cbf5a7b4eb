import { readdirSync, readFileSync } from "node:fs"
import { createRequire, isBuiltin } from "node:module"
import { fileURLToPath } from "node:url"
import { bundle, partsOf } from "@pkce-examples/local-provider/app/bundle"
import { expect, it } from "vitest"

const app = fileURLToPath(new URL("..", import.meta.url))
const external = ["electron"]

it("the main process: our client and its own source, and Electron left to the device", async () => {
  const made = await bundle(app, "src/main.ts", { platform: "node", external })
  // Nothing but the client and the example: no dependency came along, and nothing of the backend.
  expect(partsOf(made)).toEqual({ platforms: ["electron"], foreign: [] })
  expect(made.imports).toContain("electron")
  expect(made.code).toContain("session_challenge")
  expect(made.code).not.toMatch(/client_secret|@pkce\/server/)
})

it.each(["preload", "page"])(
  "%s: the page's side holds nothing of the client, and no token",
  async (name) => {
    const made = await bundle(app, `src/${name}.ts`, { platform: "neutral", external })
    expect(partsOf(made)).toEqual({ platforms: [], foreign: [] })
    expect(made.code).not.toMatch(/token|auth\//i)
  },
)

it("`npm run build` has made all that `electron .` starts, and that asks for nothing which is not there", () => {
  const dist = new URL("../dist/", import.meta.url)
  const read = (name: string) => readFileSync(new URL(name, dist), "utf8")
  expect(createRequire(import.meta.url)("../package.json").main).toBe("dist/main.cjs")
  expect(readdirSync(dist).sort()).toEqual(["index.html", "main.cjs", "page.js", "preload.cjs"])
  expect(read("index.html")).toContain('src="page.js"')
  for (const file of ["preload.cjs", "index.html"]) expect(read("main.cjs")).toContain(`"${file}"`)
  const asked = [...`${read("main.cjs")}${read("preload.cjs")}`.matchAll(/\brequire\("([^"]+)"\)/g)]
  expect(asked.filter(([, name = ""]) => name !== "electron" && !isBuiltin(name))).toEqual([])
  expect(read("page.js")).not.toMatch(/\brequire\(|^import /m)
})
