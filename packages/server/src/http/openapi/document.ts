import { version } from "@pkce/server/package.json"
import type { Config } from "../../config/config.js"
import type { Operation } from "./operation.js"
import { hostedOperations, operations } from "./operations.js"
import { headers, responsesOf, sharedResponses } from "./responses.js"
import { jsonSchemas, refTo, type SchemaName } from "./schemas.js"

const MEDIA = {
  required: "application/json",
  optional: "application/json",
  form: "application/x-www-form-urlencoded",
}

/** The OpenAPI 3.1 description of the routes that this configuration has. */
export function openApiDocument({ url, hosted }: Pick<Config, "url" | "hosted">) {
  const offered = { ...operations, ...(hosted && hostedOperations) }
  const all = Object.values(offered)
  return {
    openapi: "3.1.1",
    info: {
      title: "@pkce/server",
      version,
      description:
        "Login and sessions of an app that has a backend. Requests have no other members than these, answers may gain some. Another path is answered 404, another method 405, with an ErrorAnswer.",
    },
    servers: [{ url: url ?? "." }],
    paths: pathsOf(offered),
    components: {
      schemas: jsonSchemas(namesIn(all)),
      responses: sharedResponses(all),
      headers,
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT", description: "session_token" },
      },
    },
  }
}

function pathsOf(offered: Readonly<Record<string, Operation>>) {
  const paths: { [path: string]: { [method: string]: object } } = {}
  for (const [key, operation] of Object.entries(offered)) {
    const [method = "", path = ""] = key.split(" ")
    paths[path] = { ...paths[path], [method.toLowerCase()]: describe(operation) }
  }
  return paths
}

function describe(operation: Operation) {
  const { id, summary, bearer, parameter, query = [], body } = operation
  const parameters = [
    ...(parameter
      ? [
          {
            ...{ name: "id", in: "path", required: true, description: parameter.description },
            schema: { type: "string", pattern: parameter.pattern.source },
          },
        ]
      : []),
    ...query.map((name) => ({ name, in: "query", schema: { type: "string" } })),
  ]
  return {
    operationId: id,
    summary,
    ...(bearer && { security: bearer === "required" ? [{ bearer: [] }] : [{ bearer: [] }, {}] }),
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: {
        required: body[0] !== "optional",
        content: { [MEDIA[body[0]]]: { schema: refTo(body[1]) } },
      },
    }),
    responses: responsesOf(operation),
  }
}

function namesIn(all: readonly Operation[]): Set<SchemaName> {
  const names = new Set<SchemaName>(["ErrorAnswer"])
  for (const { answers, body } of all) {
    if (body) names.add(body[1])
    for (const name of Object.values(answers))
      if (name !== null && name !== "page" && name !== "object") names.add(name)
  }
  return names
}
