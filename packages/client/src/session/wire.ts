import { PROTOCOL_HEADER, PROTOCOL_VERSION, type ServerErrorCode } from "@pkce/protocol"
import { PkceError, type PkcePhase } from "../errors.js"
import type { ClockPort } from "../platforms/ports.js"

/** What came back. */
export interface Answer {
  ok: boolean
  /** None for what our handler did not say: no answer, a portal's page, a proxy's error. */
  status?: number
  /** Of a success; else empty. */
  body: { [member: string]: unknown }
  code?: ServerErrorCode
  /** The outcome is unknown, or the backend says so: the identical request may be repeated. */
  retryable: boolean
  errorId?: string | undefined
  /** Milliseconds to wait before that. */
  wait: number
}

export interface Call {
  method: "GET" | "POST" | "DELETE"
  path: string
  body?: object
  bearer?: string | null | undefined
  /** Milliseconds; 10 s at most. */
  timeout?: number
}

export interface Wire {
  /** Throws only what is thrown before anything is sent. */
  send(call: Call): Promise<Answer>
  /** The mount's absolute URL, without a trailing slash. */
  base(): string
}

const VERSION = String(PROTOCOL_VERSION)
const TIMEOUT = 10_000
const LONGEST_WAIT = 60_000

/** As if nobody had answered. */
export const unknown = (wait = 0): Answer => ({ ok: false, retryable: true, wait, body: {} })

/** The text if it has that form. What has another is nobody's: errors bear no input. */
const formed = (form: RegExp, text: unknown) => form.exec(`${text ?? ""}`)?.[0]

async function read(response: Response): Promise<Answer> {
  const { ok, status, headers } = response
  const text = await response.text()
  const wait = Math.min((Number(headers.get("Retry-After")) || 0) * 1000, LONGEST_WAIT)
  // GR4: without the header, or with anything but an object, it is not our handler that speaks, whatever the status.
  const body = headers.get(PROTOCOL_HEADER) === VERSION ? JSON.parse(text || "{}") : null
  if (body !== Object(body)) return unknown(wait)
  if (ok) return { ok, status, body, retryable: false, wait }
  const { error, error_id, retryable = status >= 500 } = body
  const code = formed(/^[a-z_]{4,32}$/, error) as ServerErrorCode | undefined
  if (!code) return unknown(wait)
  return {
    ...unknown(wait),
    status,
    code,
    errorId: formed(/^[0-9a-f]{16}$/, error_id),
    // Whatever the body says: the identical request is the identical mistake.
    retryable: retryable === true && ![400, 404, 405, 413, 415].includes(status),
  }
}

/** Speaks to the backend. The base is asked for at each call, since on the web it is known in the browser only. */
export function createWire(
  http: typeof fetch,
  clock: ClockPort,
  base: () => string,
  credentials?: RequestCredentials,
): Wire {
  async function exchange({ method, path, body, bearer }: Call, signal?: AbortSignal): Promise<Answer> {
    const init = {
      method,
      headers: {
        [PROTOCOL_HEADER]: VERSION,
        ...(body && { "Content-Type": "application/json" }),
        ...(bearer && { Authorization: `Bearer ${bearer}` }),
      },
      body: JSON.stringify(body),
      signal,
      credentials,
      // A redirect would carry the credentials of the line to whoever it names.
      redirect: "error",
    } as RequestInit
    try {
      return await read(await http(base() + path, init))
    } catch (error) {
      if (error instanceof PkceError) throw error
      return unknown()
    }
  }

  return {
    base,
    send: (call) =>
      new Promise((resolve, reject) => {
        // Not every engine can call a request back; its answer is then left unheard.
        const controller = globalThis.AbortController && new AbortController()
        const cancel = clock.after(Math.min(call.timeout ?? TIMEOUT, TIMEOUT), () => {
          controller?.abort()
          resolve(unknown())
        })
        void exchange(call, controller?.signal).then(resolve, reject).finally(cancel)
      }),
  }
}

/** The error that an answer amounts to: the backend's own code, or `network` where the backend did not speak. */
export const errorOf = ({ code, retryable, errorId, wait }: Answer, phase: PkcePhase): PkceError =>
  new PkceError(code ?? "network", phase, {
    retryable: retryable || !code,
    errorId,
    retryAfter: Math.ceil(wait / 1000) || undefined,
  })

/** The backend's last word: no repeat will change it. */
export const isFinal = ({ ok, retryable }: Answer): boolean => !ok && !retryable
