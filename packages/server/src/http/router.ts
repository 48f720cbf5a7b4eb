import { PkceError } from "../errors.js"
import type { Emit } from "../events.js"
import { type OnReadBefore, readForm, readJson, readOptionalJson } from "./body.js"
import { type Cors, createCors } from "./cors.js"
import { asPkceError, emitRefusal, errorAnswer } from "./errors.js"
import type { Handler, HttpAnswer, HttpRequest } from "./message.js"
import type { RateLimit } from "./rate-limit.js"
import type { Route } from "./route.js"

export interface RouterOptions {
  routes: readonly Route[]
  cors: Cors
  limit: RateLimit
  emit: Emit
  onReadBefore: OnReadBefore
  /** A request is about to be judged by its address. */
  onLimited: (request: HttpRequest) => void
}

// F7: what would stand in history, proxy logs and referrers if we took it from a URL.
const SECRET_NAMES =
  /(?:^|&)(?:[a-z_]*token|code|code_verifier|session_verifier|id_token_hint|client_secret)=/i

/** Finds the route, applies what holds for all routes, and answers whatever happens: it never throws. */
export function createRouter(options: RouterOptions): Handler {
  const { routes, limit, emit, onReadBefore, onLimited } = options
  const exact = new Map<string, Route[]>()
  const withId = new Map<string, Route[]>()
  for (const route of routes) {
    const table = route.path.endsWith("/{id}") ? withId : exact
    const path = route.path.replace("/{id}", "")
    table.set(path, [...(table.get(path) ?? []), route])
  }

  function find(path: string): { found: Route[]; id: string } {
    const found = exact.get(path)
    if (found) return { found, id: "" }
    const cut = path.lastIndexOf("/")
    const id = path.slice(cut + 1)
    return { found: (ID.test(id) && withId.get(path.slice(0, cut))) || [], id }
  }

  async function run(route: Route, request: HttpRequest, id: string): Promise<HttpAnswer> {
    if (!route.takesCode && SECRET_NAMES.test(request.query))
      throw new PkceError("invalid_request", {
        reason: "secret_in_query",
        description: "Credentials are never taken from the query.",
      })
    if (route.limited) {
      onLimited(request)
      limit.check(request.address)
    }
    const read = { required: readJson, optional: readOptionalJson, form: readForm }
    const body = route.body ? await read[route.body](request, onReadBefore) : {}
    return route.handle({ request, body, id })
  }

  return async (request) => {
    const { found, id } = find(request.path)
    const cors = found.some(({ navigated }) => navigated) ? NOBODY : options.cors
    let route: Route | undefined
    try {
      if (found.length === 0) throw new PkceError("not_found")
      const methods = found.map(({ method }) => method)
      const preflight = cors.preflight(request, methods)
      if (preflight) return preflight
      // The method is the request line's: no header and no member of the body overrides it (C8).
      route = found.find(({ method }) => method === request.method)
      if (!route) {
        const answer = errorAnswer(new PkceError("method_not_allowed"))
        return withHeaders(answer, { Allow: [...methods, "OPTIONS"].join(", "), ...cors.headers(request) })
      }
      return withHeaders(await run(route, request, id), cors.headers(request))
    } catch (thrown) {
      const error = asPkceError(thrown)
      if (route?.limited && isGuess(error)) limit.failed(request.address)
      // A refused login, and a refused logout token, have told their own reason already.
      if (error.code !== "login_failed" && error.code !== "logout_failed") emitRefusal(emit, error)
      return withHeaders(errorAnswer(error), cors.headers(request))
    }
  }
}

/** The hosted login's pages bear secrets of the person before them, which no script has a use for. */
const NOBODY = createCors([])

const ID = /^[A-Za-z0-9_-]{1,64}$/

/** What an attacker who tries values gets to see. The other 401s are for credentials that were once ours. */
const isGuess = ({ code }: PkceError) => code === "login_failed" || code === "invalid_token"

const withHeaders = (answer: HttpAnswer, headers: Record<string, string>): HttpAnswer => ({
  ...answer,
  headers: { ...answer.headers, ...headers },
})
