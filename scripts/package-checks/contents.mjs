import { readFileSync } from "node:fs"
import { join } from "node:path"
import { none, root } from "./checks.mjs"

const ALLOWED =
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|dist\/([a-z]+\/)?[\w.-]+\.(js|cjs|d\.ts|d\.cts))$/
const REQUIRED = ["package.json", "README.md", "LICENSE"]
const SPECIFIER = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\(\s*)["']([^"']+)["']/g

/** What must stand in no published file, and why. */
const FORBIDDEN = [
  [/@pkce\/protocol/, "the private package was not inlined"],
  [/sourceMappingURL/, "names a source map that is not there"],
  [/workspace:/, "names a workspace"],
]

/** The files of the tarball, and what is written in them. */
export async function checkContents({ name, installed, files, dependencies }, checks) {
  await checks.run(`${name} holds dist, README, LICENSE and package.json, and nothing else`, () => {
    none(
      files
        .filter((file) => !ALLOWED.test(file) || /\.(test|spec)\./.test(file))
        .map((file) => `has ${file}`),
    )
    none(REQUIRED.filter((file) => !files.includes(file)).map((file) => `lacks ${file}`))
  })

  const sources = files
    .filter((file) => file.startsWith("dist/"))
    .map((file) => ({ file, text: readFileSync(join(installed, file), "utf8") }))

  await checks.run(`${name} has no trace of the workspace in dist`, () => {
    const forbidden = [...FORBIDDEN, [root.slice(0, -1), "a path of the machine that built it"]]
    none(
      sources.flatMap(({ file, text }) =>
        forbidden
          .filter(([sign]) => (typeof sign === "string" ? text.includes(sign) : sign.test(text)))
          .map(([, why]) => `${file}: ${why}`),
      ),
    )
  })

  await checks.run(`${name} imports only what it declares`, () => {
    const declared = (specifier) =>
      /^(\.\.?\/|node:|#(crypto|http)$)/.test(specifier) || dependencies.includes(specifier)
    none(
      sources.flatMap(({ file, text }) =>
        [...withoutComments(text).matchAll(SPECIFIER)]
          .filter(([, specifier]) => !declared(specifier))
          .map(([, specifier]) => `${file} imports ${specifier}`),
      ),
    )
  })

  if (name === "@pkce/client") {
    await checks.run("K4: @pkce/client has no word of a client secret", () => {
      none(sources.filter(({ text }) => /client_?secret/i.test(text)).map(({ file }) => file))
    })
    await checks.run("A1: @pkce/client draws nothing from a weak generator", () => {
      none(sources.filter(({ text }) => /Math\.random/.test(text)).map(({ file }) => file))
    })
  }
}

const withoutComments = (text) => text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "")
