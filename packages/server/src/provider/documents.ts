import { ProviderError } from "../errors.js"
import type { Emit } from "../events.js"
import type { HttpClient } from "../runtime/http.js"
import { badStatus, failed, restated, unanswered } from "./failures.js"
import { type JsonObject, parseObject } from "./strict-json.js"

const TRIES = 3
/** Seconds for all tries together. */
const BUDGET = 6
const BREAKER_MAX = 30
const MAX_WAIT = 60

export interface DocumentLoader {
  /** GETs a JSON document. `read` throws for one that is no good. Throws `ProviderError`, never spent. */
  load<T>(url: string, maxBytes: number, read: (document: JsonObject) => T): Promise<T>
  /** Each request loads for itself, before its answer. */
  readonly endsWithRequest: boolean
}

export interface LoaderDependencies {
  http: HttpClient
  emit: Emit
  provider: string
  /** Seconds. */
  now: () => number
  /** Milliseconds. */
  sleep?: (duration: number) => Promise<void>
  random?: () => number
}

const pause = (duration: number) => new Promise<void>((resolve) => setTimeout(resolve, duration))

/**
 * Fetches the documents of one issuer (metadata, keys). D12: at most three tries with full jitter in six seconds, then
 * a breaker that repeats the last failure without a call, for one second at first, doubling to thirty, or for as long
 * as `Retry-After` asks.
 */
export function createDocumentLoader(dependencies: LoaderDependencies): DocumentLoader {
  const { http, emit, provider, now, sleep = pause, random = Math.random } = dependencies
  let failures = 0
  let open: { until: number; error: ProviderError } | undefined

  async function attempt(url: string, maxBytes: number, deadline: number): Promise<JsonObject> {
    const headers = { accept: "application/json" }
    const answer = await http.send({ method: "GET", url, headers, deadline, maxBytes })
    if ("failure" in answer) throw unanswered(answer, false)
    if (answer.status !== 200) throw badStatus(answer.status, answer.header("retry-after"), false)
    const document = parseObject(answer.body)
    if (!document) throw failed("idp_bad_response", "malformed", false)
    return document
  }

  function trip(error: ProviderError): void {
    const wait = error.retryAfter ?? Math.min(2 ** failures, BREAKER_MAX)
    failures++
    open = { until: now() + wait, error }
    if (error.code !== "idp_misconfigured")
      emit({ type: "idp.unavailable", provider, ...(error.reason ? { reason: error.reason } : {}) })
  }

  function refuseWhileOpen(): void {
    const wait = open ? open.until - now() : 0
    // A clock that was set back must not keep the breaker open for longer than it can have been meant to.
    if (open && wait > 0 && wait <= MAX_WAIT) throw restated(open.error, false, Math.ceil(wait))
  }

  return {
    endsWithRequest: http.endsWithRequest === true,
    async load(url, maxBytes, read) {
      refuseWhileOpen()
      const end = now() + BUDGET
      for (let tried = 1; ; tried++) {
        const left = Math.min(Math.max(end - now(), 0), BUDGET)
        let answered = false
        try {
          const document = await attempt(url, maxBytes, left * 1000)
          answered = true
          const value = read(document)
          failures = 0
          open = undefined
          return value
        } catch (error) {
          if (!(error instanceof ProviderError)) throw error
          const asked = error.retryAfter ?? 0
          const delay = Math.max(asked, random() * 0.1 * 2 ** tried)
          const transient = !answered && (error.code === "idp_unavailable" || error.code === "idp_timeout")
          if (tried === TRIES || !transient || now() + delay >= end) {
            trip(error)
            throw error
          }
          await sleep(delay * 1000)
        }
      }
    },
  }
}
