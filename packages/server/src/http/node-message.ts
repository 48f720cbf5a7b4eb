import { concat } from "../runtime/bytes.js"
import type { BodyRead, HttpAnswer, HttpRequest } from "./message.js"

/** The part of Node's `IncomingMessage` that is used here, so that no framework's types are needed. */
export interface NodeRequest {
  method?: string | undefined
  url?: string | undefined
  headers: { [name: string]: string | string[] | undefined }
  socket?: { remoteAddress?: string | undefined } | null
  /** Set by a framework's body parser. */
  body?: unknown
  httpVersionMajor?: number
  readableDidRead?: boolean
  readableEnded?: boolean
  on(event: string, listener: (chunk: Uint8Array) => void): unknown
  off(event: string, listener: (chunk: Uint8Array) => void): unknown
  pause(): unknown
  resume(): unknown
}

/** The part of Node's `ServerResponse` that is used here. */
export interface NodeResponse {
  readonly req?: { httpVersionMajor?: number }
  readonly headersSent: boolean
  writeHead(status: number, headers: Record<string, string | number>): unknown
  end(body?: string): unknown
}

export interface NodeMount {
  /** The path below the mount, and the query. */
  target: string
  /** The client's address as the framework knows it. Default: the connection's. */
  address?: string | undefined
  /** What a body parser made, where the framework keeps it elsewhere than in `request.body`. */
  parsed?: unknown
}

/** The request as plain data. */
export function fromNodeRequest(request: NodeRequest, mount: NodeMount): HttpRequest {
  const { target, address = request.socket?.remoteAddress } = mount
  const cut = target.indexOf("?")
  return {
    method: request.method ?? "GET",
    path: cut < 0 ? target : target.slice(0, cut),
    query: cut < 0 ? "" : target.slice(cut + 1),
    header(name) {
      const value = request.headers[name]
      return Array.isArray(value) ? value.join(", ") : value
    },
    body: (maxBytes, deadline) => {
      const parsed = parsedBody(request, mount.parsed ?? request.body, maxBytes)
      return parsed ? Promise.resolve(parsed) : readStream(request, maxBytes, deadline)
    },
    address,
  }
}

/** What a body parser of the framework left behind, where one has read the stream. */
function parsedBody(request: NodeRequest, body: unknown, maxBytes: number): BodyRead | null {
  if (body === undefined || (request.readableDidRead === false && !request.readableEnded)) return null
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body
  if (!(bytes instanceof Uint8Array)) return { kind: "parsed", value: body }
  return bytes.length > maxBytes ? { kind: "too_large" } : { kind: "bytes", bytes }
}

/** C9, C10: stops at the limit of size or time, and keeps nothing of the rest. */
function readStream(request: NodeRequest, maxBytes: number, deadline: number): Promise<BodyRead> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = []
    let length = 0
    const finish = (read: BodyRead) => {
      clearTimeout(timer)
      request.off("data", onData)
      request.off("end", onEnd)
      request.off("error", onAborted)
      request.off("close", onAborted)
      // HTTP/2 has no connection to end: its stream would stay open, so what still comes of it is thrown away.
      if (read.kind !== "bytes" && request.httpVersionMajor !== 2) request.pause()
      // A late error of the connection has no other listener, and must not end the process.
      request.on("error", () => undefined)
      resolve(read)
    }
    const onData = (chunk: Uint8Array) => {
      length += chunk.length
      if (length > maxBytes) finish({ kind: "too_large" })
      else chunks.push(chunk)
    }
    const onEnd = () => finish({ kind: "bytes", bytes: concat(chunks) })
    const onAborted = () => finish({ kind: "aborted" })
    const timer = setTimeout(() => finish({ kind: "timeout" }), deadline)
    if (request.readableEnded) return onEnd()
    request.on("end", onEnd)
    request.on("error", onAborted)
    request.on("close", onAborted)
    request.on("data", onData)
    request.resume()
  })
}

/**
 * The headers to send, with the length; after a body that was not read whole the connection ends (C9, C10). HTTP/2 has no
 * such header (RFC 9113 section 8.2.2), and Node warns of it.
 */
export function nodeHeaders(answer: HttpAnswer, httpVersionMajor = 1): Record<string, string | number> {
  const headers: Record<string, string | number> = { ...answer.headers }
  if (answer.status !== 204) headers["Content-Length"] = new TextEncoder().encode(answer.body).length
  const unread = answer.status === 413 || answer.status === 408
  if (unread && httpVersionMajor < 2) headers.Connection = "close"
  return headers
}

export function writeAnswer(response: NodeResponse, answer: HttpAnswer): void {
  // A time limit of the team's may have answered already; a second head would throw where nobody catches.
  if (response.headersSent) return
  response.writeHead(answer.status, nodeHeaders(answer, response.req?.httpVersionMajor))
  response.end(answer.body)
}
