import type { HttpAnswer } from "../http/message.js"
import { fromNodeRequest, type NodeRequest, nodeHeaders } from "../http/node-message.js"
import type { PkceServer } from "../server-types.js"
import type { Session } from "../session/types.js"
import { guard, type RequireSessionOptions } from "./refusal.js"

export type { RequireSessionOptions } from "./refusal.js"

/** The part of Koa's context that is used here. */
export interface KoaContext {
  req: NodeRequest
  /** `body` is what a body parser left there. */
  request: { method: string; body?: unknown }
  url: string
  ip: string
  status: number
  body: unknown
  state: { auth?: Session; [name: string]: unknown }
  set(name: string, value: string): void
  get(header: string): string
}

type Next = () => Promise<unknown>

/**
 * All routes as Koa middleware. Mount it before a body parser, so that its own limits hold.
 *
 * @param options `path` is where it is mounted, `/auth` by default; requests outside go on to the next middleware.
 * @example
 * ```ts
 * app.use(koaAuth(auth))
 * ```
 */
export function koaAuth(
  auth: PkceServer,
  { path = "/auth" }: { path?: string } = {},
): (context: KoaContext, next: Next) => Promise<void> {
  const base = path.replace(/\/$/, "")
  return async (context, next) => {
    const { req, request, url, ip } = context
    if (!url.startsWith(`${base}/`)) {
      await next()
      return
    }
    const mount = { target: url.slice(base.length), address: ip, parsed: request.body }
    write(context, await auth.handle(fromNodeRequest(req, mount)))
  }
}

/**
 * Lets a request pass only with a session, which `ctx.state.auth` then holds; otherwise answers 401 and stops.
 *
 * @example
 * ```ts
 * router.get("/me", requireSession(auth), (ctx) => { ctx.body = ctx.state.auth.user })
 * ```
 */
export const requireSession =
  (auth: PkceServer, options: RequireSessionOptions = {}) =>
  async (context: KoaContext, next: Next): Promise<void> => {
    const { session, refusal } = await guard(auth, context.get("authorization") || undefined, options)
    if (session) {
      context.state.auth = session
      await next()
    } else write(context, refusal)
  }

function write(context: KoaContext, answer: HttpAnswer): void {
  context.status = answer.status
  context.body = answer.body === "" ? null : answer.body
  // After the body, whose setter would take a text's type to be text/plain, and an empty body's status to be 204.
  context.status = answer.status
  const headers = nodeHeaders(answer, context.req.httpVersionMajor)
  for (const [name, value] of Object.entries(headers)) context.set(name, String(value))
}
