import { readdirSync, readFileSync } from "node:fs"
import { expect, it } from "vitest"

const root = new URL("../", import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), "utf8")

// What is left out of the workspaces has an installation of its own.
const { workspaces, scripts } = JSON.parse(read("package.json"))
const apps: string[] = workspaces.flatMap((path: string) => /^!(.+)/.exec(path)?.[1] ?? [])

const list = (path: string) => readdirSync(new URL(`${path}/`, root))

/** All that a developer copies and a program reads. The tests stay here. */
const filesOf = (app: string) => {
  const files = [...list(app), ...list(`${app}/src`).map((file) => `src/${file}`)]
  return files.filter((file) => /\.(tsx?|js|json|html)$/.test(file) && file !== "package-lock.json")
}

it("there are apps", () => expect(apps.length).toBeGreaterThan(3))

it.each(apps)("%s can be copied: of the repository it names our client alone", (app) => {
  const files = filesOf(app)
  expect(files).toEqual(expect.arrayContaining(["package.json", "tsconfig.json", "src/auth.ts"]))
  const outside = files.flatMap((file) => [...read(`${app}/${file}`).matchAll(/[^\s"']*\.\.\/\.\.\/[^"']*/g)])
  expect(outside.map(([path]) => path)).toEqual(["file:../../packages/client"])
  expect(list(app)).toEqual(expect.arrayContaining(["README.md", ".npmrc"]))
})

it.each(apps)("the lock file of %s names no registry", (app) => {
  const lock = JSON.parse(read(`${app}/package-lock.json`))
  const resolved = Object.values<{ resolved?: string }>(lock.packages).flatMap(
    (entry) => entry.resolved ?? [],
  )
  expect(resolved).toEqual(["file:../../packages/client"])
})

it.each(apps)("%s is looked through for what nobody uses, and tested by `npm run apps`", (app) => {
  expect(scripts.lint).toContain(`knip --directory ${app}`)
  expect(read("scripts/apps.mjs")).toContain(`"${app.replace("examples/", "")}": `)
})
