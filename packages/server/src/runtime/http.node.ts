import { lookup } from "node:dns"
import type { LookupFunction } from "node:net"
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib"
import type { Agent } from "undici"
import { addressAllowed, addressKind, urlAllowed } from "./addresses.js"
import type {
  HttpClient,
  HttpClientOptions,
  HttpFailure,
  IncomingAnswer,
  OutgoingRequest,
  RuntimeHttp,
} from "./http.js"

const BLOCKED = "ERR_PKCE_BLOCKED_ADDRESS"
const KEEP_ALIVE = 600_000

const DECODERS: Record<string, (body: Buffer, options: { maxOutputLength: number }) => Buffer> = {
  gzip: gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync,
}

/**
 * undici becomes the dispatcher of Node's own `fetch` when it is imported before that one has made its own. Touching
 * `Response` makes Node load its `fetch`, and so settle it, first.
 */
async function loadUndici(): Promise<typeof import("undici")> {
  void globalThis.Response
  return import("undici")
}

/** D3: judges every address that a name resolves to at the moment of connecting, so a rebound name gains nothing. */
const guardedLookup =
  (allow: HttpClientOptions): LookupFunction =>
  (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, "", 0)
      const local = hostname === "localhost"
      const usable = found.filter(
        ({ address }) => addressAllowed(address, allow) && (!local || addressKind(address) === "loopback"),
      )
      const [first] = usable
      if (!first) return callback(Object.assign(new Error(BLOCKED), { code: BLOCKED }), "", 0)
      if (options.all) return callback(null, usable)
      callback(null, first.address, first.family)
    })
  }

/**
 * The client on undici's own pool. undici is loaded at the first call. Connections stay open for ten minutes, or for
 * as long as the provider's `Keep-Alive` header says.
 */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  let agent: Promise<Agent> | undefined
  let closed = false
  const warming = new Set<string>()

  const pool = () => {
    agent ??= loadUndici().then(
      ({ Agent }) =>
        new Agent({
          connections: 64,
          pipelining: 1,
          keepAliveTimeout: KEEP_ALIVE,
          keepAliveMaxTimeout: KEEP_ALIVE,
          headersTimeout: 0,
          bodyTimeout: 0,
          connect: { timeout: 10_000, lookup: guardedLookup(options) },
        }),
    )
    return agent
  }

  return {
    async send(request) {
      const url = URL.canParse(request.url) ? new URL(request.url) : null
      if (!url || !urlAllowed(url, options)) return { failure: "blocked_address", sent: false }
      if (closed) return { failure: "connect", sent: false }
      return dispatch(await pool(), url, request)
    },

    warm(origin) {
      const url = URL.canParse(origin) ? new URL(origin) : null
      if (!url || closed || !urlAllowed(url, options)) return
      const { origin: target } = url
      // D12: one at a time, or whoever asks for our configuration a hundred times opens the whole pool to the provider.
      if (warming.has(target)) return
      warming.add(target)
      const done = () => void warming.delete(target)
      const refuse = () => {
        throw new Error("connected")
      }
      // A handler that throws before the first byte cancels its request and leaves the new connection in the pool.
      const handler = { onRequestStart: refuse, onResponseError: done }
      pool().then((ready) => ready.dispatch({ origin: target, path: "/", method: "GET" }, handler), done)
    },

    async close() {
      closed = true
      await (await agent)?.destroy()
    },
  }
}

function dispatch(agent: Agent, url: URL, request: OutgoingRequest): Promise<IncomingAnswer | HttpFailure> {
  return new Promise((resolve) => {
    let started = false
    let over = false
    let abort = () => {}
    let status = 0
    let headers: Record<string, string | string[] | undefined> = {}
    let chunks: Buffer[] = []
    let size = 0

    const settle = (outcome: IncomingAnswer | HttpFailure) => {
      if (over) return
      over = true
      clearTimeout(timer)
      resolve(outcome)
    }
    const fail = (failure: HttpFailure["failure"]) => {
      settle({ failure, sent: started })
      abort()
    }
    const timer = setTimeout(() => fail("timeout"), request.deadline)

    const { method, body = null } = request
    const path = `${url.pathname}${url.search}`
    const sent = { "accept-encoding": "identity", ...request.headers }
    agent.dispatch(
      { origin: url.origin, path, method, headers: sent, body },
      {
        onRequestStart(controller) {
          // Called on an open connection just before the first byte: what fails without it was never sent.
          abort = () => controller.abort(new Error("given up"))
          if (over) return abort()
          started = true
        },
        onResponseStart(_, code, fields) {
          status = code
          headers = fields
          chunks = []
        },
        onResponseData(_, chunk) {
          size += chunk.length
          if (size > request.maxBytes) return fail("too_large")
          chunks.push(chunk)
        },
        onResponseEnd() {
          const header = (name: string) => {
            const value = headers[name]
            return Array.isArray(value) ? value.join(", ") : value
          }
          const decoded = decode(Buffer.concat(chunks), header("content-encoding"), request.maxBytes)
          settle(
            typeof decoded === "string"
              ? { failure: decoded, sent: true }
              : { status, header, body: decoded },
          )
        },
        onResponseError(_, error) {
          if (started) return fail("reset")
          const blocked = "code" in error && error.code === BLOCKED
          fail(blocked ? "blocked_address" : "connect")
        },
      },
    )
  })
}

/** Servers that compress although `identity` was asked are understood; D9: the cap is on what comes out. */
function decode(
  body: Buffer,
  encoding: string | undefined,
  maxBytes: number,
): Buffer | "too_large" | "reset" {
  if (!encoding || encoding === "identity") return body
  const decoder = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding] : undefined
  if (!decoder) return "reset"
  try {
    return decoder(body, { maxOutputLength: maxBytes })
  } catch (error) {
    return error instanceof RangeError ? "too_large" : "reset"
  }
}

;({ createHttpClient }) satisfies RuntimeHttp
