import { PkceError } from "../errors.js"
import { isWellFormed, parseJsonBody } from "./json.js"
import type { HttpRequest } from "./message.js"

/** Bytes; the largest honest request is a third of it. */
const MAX_BODY = 8 * 1024
/** Bytes of a form, which is a provider's (I12). */
const MAX_FORM = 16 * 1024
/** Milliseconds for the whole body (C10). */
const BODY_DEADLINE = 10_000

// C8: anything else than this type makes a browser ask first, or is another format in disguise.
const FORM_TYPE = /^application\/x-www-form-urlencoded(?:\s*;\s*charset=(?:utf-8|"utf-8"))?\s*$/i
const JSON_TYPE = /^application\/json(?:\s*;\s*charset=(?:utf-8|"utf-8"))?\s*$/i

/** Called for a body that was read before us: parsed, where duplicate names can no longer be seen, or lost altogether. */
export type OnReadBefore = (what: "parsed" | "lost") => void

/** The object in the request's body: type, encoding and size are judged before it is parsed (C8, C9). */
export async function readJson(
  request: HttpRequest,
  onReadBefore: OnReadBefore,
): Promise<{ [name: string]: unknown }> {
  if (!JSON_TYPE.test(request.header("content-type") ?? ""))
    throw new PkceError("unsupported_media_type", { description: "Send application/json." })
  const encoding = request.header("content-encoding")?.toLowerCase() ?? "identity"
  if (encoding !== "identity" && encoding !== "")
    throw new PkceError("unsupported_media_type", {
      description: "Send the body without a content encoding.",
    })
  // Also the only limit left where the framework has parsed the body.
  if (Number(request.header("content-length") ?? 0) > MAX_BODY) throw new PkceError("payload_too_large")

  const read = await readWhole(request, MAX_BODY, onReadBefore)
  if (read.kind === "bytes") {
    const value = parseJsonBody(read.bytes)
    if (value === null) throw malformed()
    return value
  }
  onReadBefore("parsed")
  const { value } = read
  if (typeof value !== "object" || value === null || Array.isArray(value) || !isWellFormed(value))
    throw malformed()
  return { ...value }
}

/** As {@link readJson}, where a request without any body stands for an empty object. */
export async function readOptionalJson(
  request: HttpRequest,
  onReadBefore: OnReadBefore,
): Promise<{ [name: string]: unknown }> {
  if (request.header("content-type") !== undefined) return readJson(request, onReadBefore)
  const read = await request.body(MAX_BODY, BODY_DEADLINE)
  if (read.kind === "bytes" && read.bytes.length === 0) return {}
  // Frameworks leave an empty object where there was nothing to parse.
  if (read.kind === "parsed" && isEmpty(read.value)) return {}
  throw new PkceError("unsupported_media_type", { description: "Send application/json." })
}

/** The fields of a form (OpenID Connect Back-Channel Logout 1.0 section 2.5). A name that is there twice is refused. */
export async function readForm(
  request: HttpRequest,
  onReadBefore: OnReadBefore,
): Promise<{ [name: string]: unknown }> {
  if (!FORM_TYPE.test(request.header("content-type") ?? "")) throw notAForm()
  if (Number(request.header("content-length") ?? 0) > MAX_FORM) throw new PkceError("payload_too_large")
  const read = await readWhole(request, MAX_FORM, onReadBefore)
  if (read.kind === "parsed") {
    if (typeof read.value !== "object" || read.value === null) throw notAForm()
    return { ...read.value }
  }
  const fields = [...new URLSearchParams(new TextDecoder().decode(read.bytes))]
  const form = Object.fromEntries(fields)
  if (Object.keys(form).length !== fields.length) throw notAForm()
  return form
}

async function readWhole(request: HttpRequest, maxBytes: number, onReadBefore: OnReadBefore) {
  const read = await request.body(maxBytes, BODY_DEADLINE)
  if (read.kind === "too_large") throw new PkceError("payload_too_large")
  if (read.kind === "timeout") throw new PkceError("request_timeout")
  if (read.kind === "aborted") throw new PkceError("invalid_request", { reason: "body_aborted" })
  if (read.kind === "lost") {
    onReadBefore(read.kind)
    throw new PkceError("invalid_request", {
      reason: "body_lost",
      description: "The body was read before it came here.",
    })
  }
  return read
}

const notAForm = () =>
  new PkceError("invalid_request", { description: "The body is not a form with unique names." })

const isEmpty = (value: unknown) =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0

const malformed = () =>
  new PkceError("invalid_request", { description: "The body is not a valid JSON object." })
