import { PROTOCOL_HEADER, PROTOCOL_VERSION, serverErrors } from "@pkce/protocol"
import type { ErrorStatus, Operation } from "./operation.js"
import { refTo } from "./schemas.js"

/** For `components.headers`. */
export const headers = {
  [PROTOCOL_HEADER]: {
    description: "The version of the protocol. An answer without it did not come from the backend.",
    required: true,
    schema: { type: "string", const: String(PROTOCOL_VERSION) },
  },
  "Cache-Control": { required: true, schema: { type: "string", const: "no-store" } },
  Location: { required: true, schema: { type: "string" } },
  "Set-Cookie": {
    description:
      'The cookie of a session whose login said bind: "cookie", at /logout its end; on /login the one that holds the browser\'s way together. For the browser alone.',
    schema: {
      type: "string",
      pattern: "^(__Host-)?pkce-[\\w-]+=[\\w-]*; Path=/; HttpOnly; SameSite=Lax; Max-Age=\\d+(; Secure)?$",
    },
  },
  "Retry-After": { description: "Seconds.", schema: { type: "string", pattern: "^[0-9]+$" } },
  "WWW-Authenticate": { required: true, schema: { type: "string", pattern: "^Bearer" } },
}

const headersOf = (...names: (keyof typeof headers)[]) =>
  Object.fromEntries(
    [PROTOCOL_HEADER, "Cache-Control", ...names].map((name) => [
      name,
      { $ref: `#/components/headers/${name}` },
    ]),
  )

const html = { "text/html": { schema: { type: "string" } } }

function success(status: number, body: Operation["answers"][number], setsCookie: boolean) {
  const schema = body === "object" ? { type: "object" } : body !== null && body !== "page" && refTo(body)
  return {
    description: MEANING[status] ?? "Done.",
    headers: headersOf(
      ...(status === 303 ? (["Location"] as const) : []),
      ...(setsCookie ? (["Set-Cookie"] as const) : []),
    ),
    ...(body === "page" && { content: html }),
    ...(schema && { content: { "application/json": { schema } } }),
  }
}

const MEANING: Readonly<Record<number, string>> = {
  202: "Not yet.",
  204: "Done; no body.",
  303: "The browser goes on.",
}

/** Statuses whose failures may say when to come back. */
const PAUSING: readonly number[] = [409, 429, 503, 504] satisfies ErrorStatus[]

function failure(status: number) {
  const codes = Object.entries(serverErrors).flatMap(([code, known]) =>
    known.status === status ? [code] : [],
  )
  return {
    description: codes.join(", "),
    headers: headersOf(
      ...(PAUSING.includes(status) ? (["Retry-After"] as const) : []),
      ...(status === 401 ? (["WWW-Authenticate"] as const) : []),
    ),
    content: {
      "application/json": {
        schema: { allOf: [refTo("ErrorAnswer"), { properties: { error: { enum: codes } } }] },
      },
    },
  }
}

/** A route of the browser fails with a page, unless the request did not get as far as the route. */
const failedPage = {
  description: "A page that says what went wrong, with the error_id of the event.",
  headers: headersOf("Retry-After"),
  content: { ...html, "application/json": { schema: refTo("ErrorAnswer") } },
}

/** What one operation may answer, by status. Failures are references to `components.responses`. */
export function responsesOf({ answers, cookies, errors }: Operation): { [status: string]: object } {
  const failures = errors === "pages" ? PAGES : ([400, 500, ...errors] as const)
  return Object.fromEntries([
    ...Object.entries(answers).map(([status, body]) => [
      status,
      success(Number(status), body, cookies?.includes(Number(status)) ?? false),
    ]),
    ...failures.map((status) => [status, { $ref: `#/components/responses/${nameOf(status)}` }]),
  ])
}

const PAGES = ["4XX", "5XX"] as const
const nameOf = (status: ErrorStatus | (typeof PAGES)[number]) =>
  typeof status === "number" ? `Error${status}` : "FailedPage"

/** For `components.responses`: what the operations refer to. */
export function sharedResponses(operations: readonly Operation[]): { [name: string]: object } {
  const statuses = new Set<ErrorStatus>([400, 500])
  for (const { errors } of operations)
    if (errors !== "pages") for (const status of errors) statuses.add(status)
  return {
    ...Object.fromEntries([...statuses].sort().map((status) => [nameOf(status), failure(status)])),
    ...(operations.some(({ errors }) => errors === "pages") && { [nameOf("4XX")]: failedPage }),
  }
}
