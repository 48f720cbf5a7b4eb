import { Ajv2020 } from "ajv/dist/2020.js"
import { expect } from "vitest"
import type { HttpAnswer } from "../../src/http/message.js"
import type { PkceServer } from "../../src/server-types.js"
import { type Call, call } from "../support/server.js"

interface Ref {
  $ref?: string
}
interface Header extends Ref {
  required?: boolean
}
interface Response extends Ref {
  headers?: Record<string, Header>
  content?: Record<string, object>
}
export interface Operation {
  operationId: string
  security?: Record<string, string[]>[]
  parameters?: { name: string; in: string; schema: object }[]
  requestBody?: { required: boolean; content: Record<string, { schema: Ref }> }
  responses: Record<string, Response>
}
export interface Document {
  openapi: string
  info: { title: string; version: string }
  servers: { url: string }[]
  paths: Record<string, Record<string, Operation>>
  components: {
    schemas: Record<string, object>
    responses: Record<string, Response>
    headers: Record<string, Header>
  }
}

/** The headers that mean something to a client: where they come, the document has to say so. */
const MEANINGFUL = [
  "Pkce-Protocol",
  "Cache-Control",
  "Location",
  "Retry-After",
  "WWW-Authenticate",
  "Set-Cookie",
]

const BASE = "https://document.example/openapi.json"

export async function documentOf(auth: PkceServer): Promise<Document> {
  return JSON.parse((await call(auth, { method: "GET", path: "/openapi.json" })).body) as Document
}

/** Every operation, as `METHOD /path`. */
export const operationsOf = ({ paths }: Document): [string, Operation][] =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      operation,
    ]),
  )

/** Every answer of every operation, as `METHOD /path status`. */
export const statusesOf = (document: Document): string[] =>
  operationsOf(document).flatMap(([name, { responses }]) =>
    Object.keys(responses).map((status) => `${name} ${status}`),
  )

/** Validates with Ajv, which shares no line with zod. What the document leaves open is closed here if `closed`. */
export function validatorOf(document: Document, { closed }: { closed: boolean }) {
  const ajv = new Ajv2020({ strict: true, strictTypes: false, allErrors: true })
  const { components, paths } = structuredClone(document)
  if (closed) for (const schema of Object.values(components.schemas)) close(schema)
  // Around the schemas, and none themselves.
  ajv.addVocabulary(["components", "paths"])
  ajv.addSchema({ $id: BASE, components, paths })
  // Ajv judges the document as a whole, and does not look whether what is in it are schemas.
  for (const schema of schemasIn(document))
    if (!ajv.validateSchema({ $schema: DRAFT, ...schema })) throw new Error(ajv.errorsText())
  return (pointer: string, value: unknown): string[] => {
    const validate = ajv.getSchema(`${BASE}#${pointer}`)
    if (!validate) throw new Error(`no schema at ${pointer}`)
    return validate(value)
      ? []
      : (validate.errors ?? []).map((error) => `${pointer}: ${ajv.errorsText([error])}`)
  }
}

const DRAFT = "https://json-schema.org/draft/2020-12/schema"

function schemasIn({ components, paths }: Document): object[] {
  const found: object[] = Object.values(components.schemas)
  JSON.stringify({ components, paths }, (name, value) => {
    if (name === "schema") found.push(value)
    return value
  })
  return found
}

function close(schema: object): void {
  if ("properties" in schema && !("additionalProperties" in schema))
    Object.assign(schema, { additionalProperties: false })
  for (const value of Object.values(schema)) if (typeof value === "object" && value !== null) close(value)
}

/** Compares answers with the document, and remembers which it has seen. */
export function answerChecker(document: Document) {
  const validate = validatorOf(document, { closed: true })
  const resolve = <T extends Ref>(pointer: string): [string, T] => {
    const value = pointer
      .split("/")
      .slice(1)
      .reduce<unknown>((at, name) => (at as Record<string, unknown>)[unescaped(name)], document) as T
    return value.$ref === undefined ? [pointer, value] : resolve(value.$ref.slice(1))
  }
  const seen = new Set<string>()

  function check(method: string, path: string, { status, headers, body }: HttpAnswer): void {
    const template = Object.keys(document.paths).find((one) => matches(one, path)) ?? ""
    const operation = document.paths[template]?.[method.toLowerCase()]
    const name = `${method} ${template} ${status}`
    const documented = [String(status), `${Math.floor(status / 100)}XX`].find(
      (one) => operation?.responses[one],
    )
    expect(documented, `${name} is not in the document`).toBeDefined()
    seen.add(`${method} ${template} ${documented}`)

    const of = `/paths/${escaped(template)}/${method.toLowerCase()}`
    const [pointer, response] = resolve<Response>(`${of}/responses/${documented}`)
    operation?.parameters?.forEach((parameter, index) => {
      // An id that was good for something is one that the document allows.
      if (parameter.in === "path" && status < 400)
        expect(validate(`${of}/parameters/${index}/schema`, path.split("/").at(-1)), name).toEqual([])
    })
    const named = Object.keys(response.headers ?? {})
    expect(
      MEANINGFUL.filter((header) => headers[header] !== undefined && !named.includes(header)),
      name,
    ).toEqual([])
    for (const header of named) {
      const [where, { required }] = resolve<Header>(`${pointer}/headers/${header}`)
      if (required) expect(headers[header], `${name} ${header}`).toBeDefined()
      if (headers[header] !== undefined) expect(validate(`${where}/schema`, headers[header])).toEqual([])
    }

    if (!response.content) {
      expect(body, name).toBe("")
      return
    }
    const type = headers["Content-Type"]?.split(";")[0] ?? ""
    expect(Object.keys(response.content), name).toContain(type)
    const value = type === "application/json" ? JSON.parse(body) : body
    expect(validate(`${pointer}/content/${escaped(type)}/schema`, value), name).toEqual([])
  }

  return {
    seen,
    check,
    validate,
    /** One request, whose answer must be as the document says. */
    async ask(auth: PkceServer, request: Call): Promise<HttpAnswer> {
      const answer = await call(auth, request)
      check(request.method ?? "POST", request.path, answer)
      return answer
    },
  }
}

const escaped = (name: string) => name.replaceAll("~", "~0").replaceAll("/", "~1")
const unescaped = (name: string) => name.replaceAll("~1", "/").replaceAll("~0", "~")
const matches = (template: string, path: string) =>
  new RegExp(`^${template.replaceAll(".", "\\.").replace("{id}", "[^/]+")}$`).test(path)
