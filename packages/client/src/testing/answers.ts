import { createHash, randomBytes } from "node:crypto"
import type { Device } from "@pkce/protocol"

/** A request as the backend saw it. */
export interface Seen {
  /** Such as `POST /refresh`. */
  route: string
  body: { [member: string]: unknown }
  bearer: string | null
  url: string
  init: RequestInit
}

/** Something that one request may redeem: a code, or a hosted login. */
export interface Redeemable {
  /** The request that did. */
  body?: string
  sid?: string
  /** Of a hosted login; with a code it comes in the body. */
  device?: Device
}

export const s256 = (text: string) => createHash("sha256").update(text).digest("base64url")
export const draw = () => randomBytes(16).toString("base64url")

/** An answer of the handler, with the header that marks it as one. */
export const answer = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  new Response(status === 204 ? null : JSON.stringify(body), {
    status,
    headers: { "Content-Type": "application/json", "Pkce-Protocol": "1", ...headers },
  })

/** The handler's error. */
export const refusal = (status: number, error: string, retryable = false, headers = {}) =>
  answer(status, { error, error_id: "0123456789abcdef", retryable }, headers)
