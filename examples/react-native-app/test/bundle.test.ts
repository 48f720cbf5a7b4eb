import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"

const app = fileURLToPath(new URL("..", import.meta.url))
const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8")

/** What `npm run bundle` has made, by Metro and the app's own configuration, and the files that it was made of. */
const code = read("dist/index.bundle")
const sources = (JSON.parse(read("dist/index.bundle.map")).sources as string[])
  .filter((source) => source.startsWith(app))
  .map((source) => source.slice(app.length))

it("holds our client with the platform for React Native, and no other", () => {
  const ours = sources.flatMap(
    (source) => /^node_modules\/@pkce\/client\/dist\/(.+)\.js$/.exec(source)?.[1] ?? [],
  )
  expect(ours.filter((name) => !name.startsWith("chunk-")).sort()).toEqual(["index", "react", "react-native"])
  for (const text of ["code_challenge", "session_challenge", "state_mismatch"]) expect(code).toContain(text)
})

it("holds nothing of the backend and no client secret", () => {
  expect(sources.filter((source) => /@pkce\/server|^packages\/|\/(jose|undici|zod)\//.test(source))).toEqual(
    [],
  )
  expect(code).not.toMatch(/client_secret|@pkce\/server/)
})

it("holds the app, under the name that the native projects start it by, and the native modules that it uses", () => {
  const own = sources.filter((source) => !source.startsWith("node_modules/"))
  expect(own.sort()).toEqual(["app.json", "index.js", "src/App.tsx", "src/auth.ts"])
  expect(code).toContain(createRequire(import.meta.url)("../app.json").name)
  const { dependencies } = createRequire(import.meta.url)("../package.json")
  for (const name of Object.keys(dependencies))
    expect(sources.some((source) => source.startsWith(`node_modules/${name}/`))).toBe(true)
  expect(sources.filter((source) => source === "node_modules/react/index.js")).toHaveLength(1)
})
