import { z } from "zod"
import {
  backchannelLogoutRequest,
  exchangeRequest,
  logoutRequest,
  pollRequest,
  redeemRequest,
  refreshRequest,
  startRequest,
} from "../schemas.js"
import { type Answers, answerSchemas } from "./answers.js"

const requests = {
  ExchangeRequest: exchangeRequest,
  RefreshRequest: refreshRequest,
  LogoutRequest: logoutRequest,
  BackchannelLogoutRequest: backchannelLogoutRequest,
  StartRequest: startRequest,
  ConfirmRequest: z.object({ confirm: z.string().min(1) }),
  RedeemRequest: redeemRequest,
  PollRequest: pollRequest,
}

export type SchemaName = keyof typeof requests | keyof Answers

const DESCRIPTIONS: Partial<Record<SchemaName, string>> = {
  Grant:
    "A session. Times are seconds since the epoch, durations seconds. Without session_token and expires_in where it answers a repeat that came late: refresh. refresh_token only where the request had a session_challenge, user_info at login only.",
  UserInfo:
    "sub is this backend's own name of the user; idp_iss and idp_sub are the provider's. The rest is the profile.",
  ErrorAnswer:
    "retryable: the identical request may be sent again, after retry_after seconds where that is given. error_id names the failure in the backend's events.",
  LogoutAnswer:
    "Open logout_url in the system browser. If it is not absolute, it is logout/ and a ticket, relative to the address of the request.",
  ConfirmRequest: "Sent by the backend's own page.",
}

/** Where a schema stands in the document. */
export const refTo = (name: SchemaName) => ({ $ref: `#/components/schemas/${name}` })

/**
 * The named schemas, and those that they refer to, as JSON Schema 2020-12. What a request is validated with and what is
 * written here are one object.
 */
export function jsonSchemas(names: Iterable<SchemaName>): { [name: string]: object } {
  const all: Record<SchemaName, z.ZodType> = { ...requests, ...answerSchemas() }
  // A registry of our own: zod's global one belongs to the whole process.
  const registry = z.registry<{ id: string }>()
  for (const [name, schema] of Object.entries(all)) registry.add(schema, { id: name })
  // "input" is what a sender may send, and leaves the answers open for members to come.
  const { schemas } = z.toJSONSchema(registry, {
    io: "input",
    target: "draft-2020-12",
    uri: (name) => refTo(name as SchemaName).$ref,
  })

  const picked: { [name: string]: object } = {}
  function pick(name: SchemaName): void {
    if (name in picked) return
    const { $schema: _, $id: __, ...schema } = schemas[name] ?? {}
    const description = DESCRIPTIONS[name]
    picked[name] = { ...(description !== undefined && { description }), ...schema }
    for (const [, other] of JSON.stringify(schema).matchAll(/"#\/components\/schemas\/(\w+)"/g))
      pick(other as SchemaName)
  }
  for (const name of names) pick(name)
  return picked
}
