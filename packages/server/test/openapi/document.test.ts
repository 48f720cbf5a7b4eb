import { serverErrors } from "@pkce/protocol"
import { Validator } from "@seriousme/openapi-schema-validator"
import { afterEach, describe, expect, it, vi } from "vitest"
import manifest from "../../package.json"
import type { HostedOptions } from "../../src/config/options.js"
import type { HttpRequest } from "../../src/http/message.js"
import type { Route } from "../../src/http/route.js"
import type { RouterOptions } from "../../src/http/router.js"
import { openApiRoute } from "../../src/http/routes/openapi.js"
import { createPkceServer } from "../../src/server.js"
import type { PkceServer } from "../../src/server-types.js"
import { random } from "../support/server.js"
import { documentOf, operationsOf, validatorOf } from "./checker.js"

// The router's own list, as it is given: nothing here repeats the names of routes.
const given = vi.hoisted(() => ({ routes: [] as readonly unknown[] }))
vi.mock("../../src/http/router.js", async (original) => {
  const actual = await original<typeof import("../../src/http/router.js")>()
  const createRouter = (options: RouterOptions) => {
    given.routes = options.routes
    return actual.createRouter(options)
  }
  return { ...actual, createRouter }
})

let auth: PkceServer
afterEach(() => auth.close())

function start(options: { url?: string; hosted?: HostedOptions } = {}): readonly Route[] {
  auth = createPkceServer({
    issuer: "https://idp.example.com/",
    clientId: "app",
    redirectUris: ["com.example.app://callback"],
    secrets: [random()],
    onWarning: () => undefined,
    ...options,
  })
  return given.routes as readonly Route[]
}

const url = "https://api.example.com/auth"
const mounts = [
  ["without hosted login", {}],
  ["with hosted login", { url, hosted: {} }],
  ["with hosted login and poll", { url, hosted: { poll: true } }],
] as const

describe.each(mounts)("the document %s", (_, options) => {
  it("is valid OpenAPI 3.1, and every reference in it leads somewhere", async () => {
    start(options)
    const document = await documentOf(auth)
    expect(document.openapi).toMatch(/^3\.1\./)
    expect(await new Validator().validate({ ...document })).toEqual({ valid: true })
    // Throws unless every schema in it is one of JSON Schema 2020-12.
    validatorOf(document, { closed: false })
    const text = JSON.stringify(document)
    const targets = [...text.matchAll(/"#\/components\/(\w+)\/([\w-]+)"/g)].map(
      ([, kind, name]) => `${kind} ${name}`,
    )
    const there = Object.entries(document.components).flatMap(([kind, all]) =>
      kind === "securitySchemes" ? [] : Object.keys(all).map((name) => `${kind} ${name}`),
    )
    // Both ways: no reference into nothing, and nothing that nobody refers to.
    expect([...new Set(targets)].sort()).toEqual(there.sort())
    const ids = operationsOf(document).map(([, { operationId }]) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it("has the routes of the router, all of them and no other", async () => {
    const routes = start(options)
    const documented = operationsOf(await documentOf(auth)).map(([name]) => name)
    expect(documented.sort()).toEqual(routes.map(({ method, path }) => `${method} ${path}`).sort())
  })

  it("reads bodies and counts failures where the router does", async () => {
    const routes = start(options)
    const operations = new Map(operationsOf(await documentOf(auth)))
    for (const { method, path, body, limited } of routes) {
      const operation = operations.get(`${method} ${path}`)
      const { required, content = {} } = operation?.requestBody ?? {}
      const type = body === "form" ? "application/x-www-form-urlencoded" : "application/json"
      const documented = operation?.requestBody && [Object.keys(content), required]
      expect([method, path, documented]).toEqual([
        method,
        path,
        body === undefined ? undefined : [[type], body !== "optional"],
      ])
      const failures = Object.keys(operation?.responses ?? {})
      const expected = [
        ...(limited ? ["429"] : []),
        ...(body === undefined ? [] : body === "form" ? ["408", "413"] : ["408", "413", "415"]),
      ]
      // A page's failures are all of 4XX.
      if (!failures.includes("4XX")) expect(failures).toEqual(expect.arrayContaining(expected))
    }
  })
})

it("names every error code under its status, and only codes of that status", async () => {
  start({ url, hosted: {} })
  const { responses } = (await documentOf(auth)).components
  const documented = Object.keys(responses).flatMap((name) => {
    const status = Number(name.replace("Error", ""))
    const codes = /"enum":(\[[^\]]*\])/.exec(JSON.stringify(responses[name]))?.[1] ?? "[]"
    return (JSON.parse(codes) as string[]).map((code) => [code, status])
  })
  const statuses = new Set(documented.map(([, status]) => status))
  const known = Object.entries(serverErrors).filter(([, { status }]) => statuses.has(status))
  expect(documented.sort()).toEqual(known.map(([code, { status }]) => [code, status]).sort())
  // 405 is a path's and no operation's.
  const absent = Object.values(serverErrors).filter(({ status }) => !statuses.has(status))
  expect(absent.map(({ status }) => status)).toEqual([405])
})

it("says where the mount is, and which version of the package it is", async () => {
  start({ url })
  const absolute = await documentOf(auth)
  expect([absolute.servers, absolute.info.version]).toEqual([[{ url }], manifest.version])
  await auth.close()
  start()
  expect((await documentOf(auth)).servers).toEqual([{ url: "." }])
})

it("is made once, and not before it is asked for", async () => {
  start()
  let made = 0
  const config = {
    get url() {
      made++
      return url
    },
    hosted: null,
  }
  const { handle } = openApiRoute(config)
  expect(made).toBe(0)
  const input = { request: {} as HttpRequest, body: {}, id: "" }
  const first = await handle(input)
  expect(await handle(input)).toEqual(first)
  expect(made).toBe(1)
  expect(first.headers).toMatchObject({ "Content-Type": "application/json", "Pkce-Protocol": "1" })
})
