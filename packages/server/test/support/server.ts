import { createHash, randomBytes } from "node:crypto"
import type { ErrorAnswer, Grant } from "@pkce/protocol"
import type { PkceServerOptions } from "../../src/config/options.js"
import type { PkceEvent } from "../../src/events.js"
import type { HttpAnswer } from "../../src/http/message.js"
import { createPkceServer } from "../../src/server.js"
import type { PkceServer } from "../../src/server-types.js"
import type { Store } from "../../src/stores/contract.js"
import { memoryStore } from "../../src/stores/memory.js"
import { startFakeProvider } from "../../src/testing/provider.js"
import type { FakeProvider, FakeProviderOptions, FinishedLogin } from "../../src/testing/provider-types.js"

export const random = () => randomBytes(32).toString("base64url")
export const s256 = (verifier: string) => createHash("sha256").update(verifier).digest("base64url")

/** A store that counts its calls by name; listening asks it for nothing. */
export function countedStore(inner: Store): Store & { calls: Record<string, number> } {
  const calls: Record<string, number> = {}
  const counted = new Proxy(inner, {
    get(target, name: string) {
      if (name === "calls") return calls
      const member = target[name as keyof Store]
      if (typeof member !== "function" || name === "onRevoked") return member
      return (...args: unknown[]) => {
        calls[name] = (calls[name] ?? 0) + 1
        return Reflect.apply(member, target, args)
      }
    },
  })
  return counted as Store & { calls: Record<string, number> }
}

/** The same store, as one that cannot tell of what other processes end. */
export const withoutPush = ({ onRevoked: _, ...store }: Store): Store => store

export type CountedStore = ReturnType<typeof countedStore>

export interface Fixture {
  idp: FakeProvider
  auth: PkceServer
  store: CountedStore
  events: PkceEvent[]
  warnings: string[]
  options: PkceServerOptions
  /** A login as an app would send it. */
  login(extra?: object): FinishedLogin & { iss: string; session_challenge: string; verifier: string }
  close(): Promise<void>
}

/** A fake provider and a server with the memory store, whose calls are counted. */
export async function startServer(
  overrides: Partial<PkceServerOptions> = {},
  provider: FakeProviderOptions = {},
): Promise<Fixture> {
  const idp = await startFakeProvider(provider)
  const events: PkceEvent[] = []
  const warnings: string[] = []
  const store = countedStore(overrides.store ?? memoryStore())
  const options: PkceServerOptions = {
    ...idp.options(),
    secrets: [random()],
    rateLimit: false,
    onEvent: (event) => void events.push(event),
    onWarning: (warning) => void warnings.push(warning),
    ...overrides,
    store,
  }
  const auth = createPkceServer(options)
  return {
    idp,
    auth,
    store,
    events,
    warnings,
    options,
    login(extra = {}) {
      const verifier = random()
      const finished = idp.finishLogin()
      return { ...finished, session_challenge: s256(verifier), verifier, ...extra }
    },
    async close() {
      await auth.close()
      await idp.close()
    },
  }
}

/** The body of a login: without the session's verifier, which the app keeps. */
export const wire = <T extends { verifier?: string }>({ verifier: _, ...body }: T) => body

export interface Call {
  method?: string
  path: string
  query?: string
  headers?: Record<string, string>
  body?: unknown
  raw?: Uint8Array | string
  address?: string
}

/** One request to `handle`, as a mount would make it. */
export function call(auth: PkceServer, request: Call): Promise<HttpAnswer> {
  const { method = "POST", path, query = "", body, raw, address } = request
  const content = raw ?? (body === undefined ? "" : JSON.stringify(body))
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content
  const headers: Record<string, string> = {
    ...(bytes.length > 0 && { "content-type": "application/json" }),
    ...request.headers,
  }
  return auth.handle({
    method,
    path,
    query,
    header: (name) => headers[name],
    body: async (maxBytes) => (bytes.length > maxBytes ? { kind: "too_large" } : { kind: "bytes", bytes }),
    address,
  })
}

export const parsed = (answer: HttpAnswer) =>
  JSON.parse(answer.body) as Grant & ErrorAnswer & { [name: string]: unknown }
