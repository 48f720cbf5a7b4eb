import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { bundle, partsOf } from "@pkce-examples/local-provider/app/bundle"
import { expect, it } from "vitest"

const app = fileURLToPath(new URL("..", import.meta.url))

it("holds our client with the platforms of the app and of the web, and leaves the plugins to the device", async () => {
  const external = ["@aparajita/capacitor-secure-storage", "@capacitor/*"]
  const made = await bundle(app, "src/main.ts", { platform: "neutral", external })
  // Nothing but the client and the example: no dependency came along, and nothing of the backend.
  expect(partsOf(made)).toEqual({ platforms: ["capacitor", "web"], foreign: [] })
  expect(made.imports).toEqual(expect.arrayContaining(["@capacitor/app", "@capacitor/browser"]))
  expect(made.code).toContain("session_challenge")
  expect(made.code).not.toMatch(/client_secret|@pkce\/server/)
})

it("`npm run build` has made the whole page, where Capacitor looks for it", () => {
  const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8")
  expect(read("capacitor.config.ts")).toContain('webDir: "dist"')
  expect(readdirSync(new URL("../dist/", import.meta.url)).sort()).toEqual(["index.html", "main.js"])
  expect(read("dist/index.html")).toContain('src="main.js"')
  expect(read("dist/main.js")).not.toMatch(/^import /m)
  for (const text of ["code_challenge", "session_challenge", "appUrlOpen", "indexedDB"])
    expect(read("dist/main.js")).toContain(text)
})
