import { PROTOCOL_HEADER, PROTOCOL_VERSION } from "@pkce/protocol"
import type { HttpAnswer } from "./message.js"

/** On every answer, errors and redirects included (GR1, J7): nothing of ours may be kept by a cache between. */
const ALWAYS: Readonly<Record<string, string>> = {
  "Cache-Control": "no-store",
  [PROTOCOL_HEADER]: String(PROTOCOL_VERSION),
  "X-Content-Type-Options": "nosniff",
  Vary: "Origin, Cookie",
}

/** An answer with a JSON body. */
export const json = (status: number, body: unknown, headers?: Record<string, string>): HttpAnswer => ({
  status,
  headers: { ...ALWAYS, "Content-Type": "application/json", ...headers },
  body: JSON.stringify(body),
})

/** A page for a person. The type, and what it may load, are in `headers`. */
export const html = (status: number, body: string, headers: Record<string, string>): HttpAnswer => ({
  status,
  headers: { ...ALWAYS, ...headers },
  body,
})

/** 204, or a redirect: an answer without a body. */
export const empty = (status: number, headers?: Record<string, string>): HttpAnswer => ({
  status,
  headers: { ...ALWAYS, ...headers },
  body: "",
})
