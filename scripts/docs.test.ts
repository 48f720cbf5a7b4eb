import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { serverErrors } from "@pkce/protocol"
import { beforeAll, describe, expect, it } from "vitest"
import { ENVIRONMENT } from "../packages/server/src/config/environment.js"
import { answerSchemas } from "../packages/server/src/http/openapi/answers.js"
import { exchangeRequest, redeemRequest, startRequest } from "../packages/server/src/http/schemas.js"
import { SERVE_VARIABLES } from "../packages/server/src/serve/variables.js"
import { faults, membersOf, program, textsOf } from "./docs/compile.js"
import { anchors, blocks, cells, links, type Page, pages, root } from "./docs/markdown.js"

const all = pages()
const code = all.flatMap((page) => blocks(page, "ts"))
const page = (path: string): Page => {
  const found = all.find((candidate) => candidate.path === path)
  if (!found) throw new Error(`no ${path}`)
  return found
}
const sources = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .map((file) => readFileSync(join(folder, file), "utf8"))
const firstCells = (one: Page, heading: string) => cells(one, 0, heading)
const sorted = (names: Iterable<string>) => [...new Set(names)].sort()

describe("every TypeScript block compiles against the packages", () => {
  let compiled: ReturnType<typeof program>
  beforeAll(() => {
    compiled = program(code)
  }, 60_000)

  it.each(code.map((block) => [`${block.page}:${block.line}`, block] as const))("%s", (_, block) => {
    expect(faults(compiled, block)).toEqual([])
  })

  it("the check sees a mistake", () => {
    const wrong = {
      page: "README.md",
      line: 0,
      code: 'import { createPkceServer } from "@pkce/server"\ncreatePkceServer({ issuer: 1 })',
    }
    expect(faults(program([wrong]), wrong).join()).toContain("not assignable")
  })

  it("docs/configuration.md names every option and no other", () => {
    const options = "packages/server/src/config/options.ts"
    const configuration = page("docs/configuration.md")
    const documented = ["## Provider", "## Backend"].flatMap((heading) => firstCells(configuration, heading))
    expect(sorted(documented)).toEqual(sorted(membersOf(compiled, options, "PkceServerOptions")))
    for (const [heading, members, type] of [
      ["## Session", "session", "SessionOptions"],
      ["## Hosted login", "hosted", "HostedOptions"],
    ] as const) {
      const names = membersOf(compiled, options, type).map((name) => `${members}.${name}`)
      expect(sorted(firstCells(configuration, heading))).toEqual(sorted(names))
    }
  })

  it("docs/client.md names every option, call and event of the client, and no other", () => {
    const client = page("docs/client.md")
    const source = "packages/client/src"
    // A heading of the first column may name the function or the member that the rows are of.
    const named = (heading: string) =>
      firstCells(client, heading).filter((name) => !["login", "logout", "type"].includes(name))
    for (const [heading, file, type] of [
      ["## Options", "client.ts", "PkceClientOptions"],
      ["## Login", "login/login.ts", "LoginOptions"],
      ["## Logout", "session/logout.ts", "LogoutOptions"],
    ] as const)
      expect(sorted(named(heading))).toEqual(sorted(membersOf(compiled, `${source}/${file}`, type)))
    const calls = firstCells(client, "## Calls").map((call) => call.replace(/\(.*/, ""))
    expect(sorted(calls)).toEqual(sorted(membersOf(compiled, `${source}/client.ts`, "PkceClient")))
    const types = textsOf(compiled, `${source}/session/events.ts`, "PkceClientEvent", "type")
    expect(sorted(named("## Events"))).toEqual(sorted(types))
    const platforms = [
      ["web", "WebOptions"],
      ["cli", "CliOptions"],
      ["electron", "ElectronOptions"],
      ["expo", "ExpoOptions"],
      ["react-native", "ReactNativeOptions"],
      ["capacitor", "CapacitorOptions"],
    ] as const
    const options = platforms.flatMap(([file, type]) =>
      membersOf(compiled, `${source}/platforms/${file}.ts`, type),
    )
    expect(sorted(cells(client, 1, "## Options of the platforms"))).toEqual(sorted(options))
  })

  it("docs/troubleshooting.md explains every code of the client, and reasons that exist", () => {
    const troubleshooting = page("docs/troubleshooting.md")
    const codes = textsOf(compiled, "packages/protocol/src/errors.ts", "ClientErrorCode")
    const documented = firstCells(troubleshooting, "## From the app")
    expect(sorted(documented)).toEqual(sorted(codes))
    const reasons = new Set(textsOf(compiled, "packages/server/src/provider/failures.ts", "Refusal"))
    expect(reasons.size).toBeGreaterThan(0)
    const named = firstCells(troubleshooting, "### Reasons of `login_failed`")
    expect(named.filter((reason) => !reasons.has(reason))).toEqual([])
  })
})

it("docs/configuration.md names every environment variable and its option", () => {
  const configuration = page("docs/configuration.md")
  const names = firstCells(configuration, "## Environment variables")
  const options = cells(configuration, 1, "## Environment variables")
  expect(Object.fromEntries(names.map((name, i) => [name, options[i]]))).toEqual(
    Object.fromEntries(Object.entries(ENVIRONMENT).map(([name, [option]]) => [name, option])),
  )
})

it("docs/serve.md names every variable of pkce-server, with its default", () => {
  const serve = page("docs/serve.md")
  expect(firstCells(serve, "## Environment")).toEqual(Object.keys(SERVE_VARIABLES))
  const defaults = Object.values(SERVE_VARIABLES).filter((value) => value !== null)
  expect(cells(serve, 1, "## Environment")).toEqual(defaults)
})

it("docs/wire.md has a row for each member of the requests that begin a session, and of what they start with", () => {
  const members = ({ shape }: { shape: object }) => Object.keys(shape)
  const wire = page("docs/wire.md")
  expect(sorted(firstCells(wire, "### `POST /exchange`"))).toEqual(sorted(members(exchangeRequest)))
  const start = [...members(startRequest), ...members(answerSchemas().StartAnswer)]
  expect(sorted(firstCells(wire, "### `POST /start`"))).toEqual(sorted(start))
  const ends = firstCells(wire, "### `POST /redeem` and `POST /poll`").filter(
    (name) => !(name in serverErrors),
  )
  expect(sorted(ends)).toEqual(sorted(members(redeemRequest)))
})

describe("error codes", () => {
  it("docs/wire.md has the whole table", () => {
    const documented = page("docs/wire.md")
      .text.split("\n")
      .flatMap((line) => {
        const [, status, codes] = /^\| (\d{3}) \| (.*) \|$/.exec(line) ?? []
        return [...(codes ?? "").matchAll(/`(\w+)`/g)].map(([, name]) => [name, Number(status)])
      })
    const table = Object.entries(serverErrors).map(([name, { status }]) => [name, status])
    expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(table))
    expect(documented).toHaveLength(table.length)
  })

  it("docs/troubleshooting.md explains every code of the backend, with its status", () => {
    const documented = page("docs/troubleshooting.md")
      .text.split("\n")
      .flatMap((line) => {
        const [, name, status] = /^\| `(\w+)` \| (\d{3}) \|/.exec(line) ?? []
        return name ? [[name, Number(status)]] : []
      })
    const table = Object.entries(serverErrors).map(([name, { status }]) => [name, status])
    expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(table))
  })
})

it("docs/troubleshooting.md says of a code that nothing raises that it is not of this version, and of no other", () => {
  const used = (room: string) => sources(join(root, room)).join("\n")
  const [client, server] = [used("packages/client/src"), used("packages/server/src")]
  const rows = page("docs/troubleshooting.md").text.matchAll(/^\| `(\w+)` \|( \d{3} \|)?(.*)$/gm)
  const [, fromApp = ""] = page("docs/troubleshooting.md").text.split("## From the app")
  for (const [row, name, status, text = ""] of rows) {
    if (!status && !fromApp.includes(row)) continue
    const raised = (status ? server : client).includes(`"${name}"`)
    expect([name, / in this version/.test(text)]).toEqual([name, !raised])
  }
})

describe("links", () => {
  it.each(all.map((one) => [one.path, one] as const))("%s points at what is there", (_, one) => {
    const broken = links(one).filter((target) => {
      if (/^[a-z]+:/.test(target)) return false
      const [file = "", anchor] = target.split("#")
      const path = file === "" ? one.path : relative(root, join(root, dirname(one.path), file))
      if (!existsSync(join(root, path))) return true
      return anchor !== undefined && !anchors(page(path)).includes(anchor)
    })
    expect(broken).toEqual([])
  })
})

it("no page names a path of a machine or a registry's host", () => {
  const signs = /\/(?:home|root|Users|tmp|work)\/|registry\.|localhost:4873/
  expect(all.filter(({ text }) => signs.test(text)).map(({ path }) => path)).toEqual([])
})
