import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"

/** Which folder of a package may import from which. A name that is no folder is a file at the top of `src`. */
const ROOMS: Record<string, Record<string, string[]>> = {
  server: {
    runtime: [],
    stores: [],
    vault: ["emit", "errors", "events", "key-provider", "provider", "runtime", "stores"],
    session: ["config", "emit", "errors", "events", "runtime", "stores", "vault"],
    provider: ["config", "errors", "events", "runtime"],
    telemetry: ["errors", "events", "runtime", "stores"],
    hosted: ["config", "errors", "provider", "runtime", "stores", "vault"],
    config: ["events", "key-provider", "stores", "telemetry"],
    http: [
      "config",
      "emit",
      "errors",
      "events",
      "hosted",
      "provider",
      "runtime",
      "server-types",
      "session",
      "stores",
      "telemetry",
      "vault",
    ],
    mounts: ["errors", "http", "server-types", "session"],
    testing: ["config", "stores"],
    serve: ["config", "errors", "events", "http", "mounts", "server", "stores"],
  },
  client: {
    pkce: ["errors", "platforms"],
    platforms: ["errors", "pkce"],
    session: ["errors", "pkce", "platforms"],
    login: ["errors", "pkce", "platforms", "session"],
    testing: ["client", "errors", "platforms"],
  },
}

const sources = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (file) => file.endsWith(".ts") && !/\.(test|fixture)\.ts$/.test(file),
  )

const folderOf = (name: string) => fileURLToPath(new URL(`../packages/${name}/src/`, import.meta.url))

const imports = (file: string): string[] =>
  [...readFileSync(file, "utf8").matchAll(/(?:from|import\()\s*"([^"]+)"/g)].map(([, path = ""]) => path)

it("protocol imports nothing but itself", () => {
  const src = folderOf("protocol")
  const seen = sources(src).flatMap((file) => imports(src + file))
  expect(seen.length).toBeGreaterThan(0)
  expect(seen.filter((path) => !path.startsWith("./"))).toEqual([])
})

for (const [name, rooms] of Object.entries(ROOMS)) {
  it(`${name}: every room imports only from the rooms below it`, () => {
    const src = folderOf(name)
    const seen: string[] = []
    const foreign: string[] = []
    for (const file of sources(src)) {
      const [room = ""] = file.split(/[/\\]/)
      for (const path of imports(src + file).filter((path) => path.startsWith("."))) {
        const target = new URL(path, `file:///${file.replaceAll("\\", "/")}`).pathname.slice(1)
        const other = target.split("/")[0]?.replace(/\.js$/, "") ?? ""
        seen.push(target)
        if (room in rooms && other !== room && !rooms[room]?.includes(other))
          foreign.push(`${file} -> ${target}`)
      }
    }
    expect(foreign).toEqual([])
    expect(seen.length).toBeGreaterThan(0)
  })
}
